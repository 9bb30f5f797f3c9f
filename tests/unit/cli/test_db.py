"""`nexus db`: what has run, running it, taking it back, writing it, and what differs."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nexus.data import sole_use

MODELS = """
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
"""

FIRST = """
'''Make the items.'''
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade():
    op.create_table(
        "NAME__items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False),
    )
    op.execute("INSERT INTO NAME__items (name) VALUES ('one')")

def downgrade():
    op.drop_table("NAME__items")
"""
SECOND = """
'''Give them a color.'''
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade():
    op.add_column("NAME__items", sa.Column("color", sa.String(20)))

def downgrade():
    with op.batch_alter_table("NAME__items") as batch_op:
        batch_op.drop_column("color")
"""

Write = Callable[..., Path]


@pytest.fixture
def write(application: Path) -> Write:
    """Write a plugin with models and migrations."""

    def write(name: str = "tasks", models: str | None = MODELS, *migrations: str) -> Path:
        folder = application / "plugins" / name
        (folder / "schemas").mkdir(parents=True, exist_ok=True)
        document = {"name": name, "version": "1.0.0"}
        (folder / "manifest.json").write_text(json.dumps(document))
        (folder / "plugin.py").write_text("raise SystemExit('nobody imports this')\n")
        if models is not None:
            (folder / "schemas" / "models.py").write_text(models)
        for number, text in enumerate(migrations, start=1):
            place = folder / "migrations" / "versions"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"000{number}.py").write_text(text.replace("NAME", name))
        return folder

    return write


def database(application: Path) -> sqlite3.Connection:
    [path] = application.rglob("nexus.db")
    return sqlite3.connect(path)


def tables(application: Path) -> set[str]:
    with database(application) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in rows if "__" in name}


def test_status_before_and_after_an_upgrade(write: Write, application: Path, nexus: Any) -> None:
    write("tasks", MODELS, FIRST, SECOND)
    write("wishes")
    write("plain", None)
    said = nexus("db", "status", "--json")
    assert said.code == 0
    tasks, wishes = said.json["items"]
    assert (tasks["plugin"], tasks["current"], tasks["head"]) == ("tasks", None, "0002")
    assert [each["revision"] for each in tasks["pending"]] == ["0001", "0002"]
    assert tasks["pending"][0]["words"] == "Make the items"
    assert (wishes["plugin"], wishes["head"], wishes["models"]) == ("wishes", None, True)
    assert not list(application.rglob("nexus.db"))  # looking makes nothing

    shown = nexus("db", "status")
    assert "2 migrations to run: 0001, 0002" in shown.out
    assert "models without migrations" in " ".join(shown.out.split())
    assert "nexus db upgrade" in shown.err

    done = nexus("db", "upgrade", "--json")
    assert done.code == 0
    assert [(each["plugin"], each["done"]) for each in done.json["items"]] == [
        ("tasks", ["0001", "0002"]),
        ("wishes", []),
    ]
    assert tables(application) == {"tasks__items", "tasks__alembic_version"}
    assert "tasks: up to date at 0002" in nexus("db", "upgrade").out
    assert "up to date" in nexus("db", "status", "tasks").out
    [item] = nexus("db", "status", "tasks", "--json").json["items"]
    assert (item["current"], item["pending"], item["problem"]) == ("0002", [], None)


def test_one_that_fails_does_not_stop_the_others(
    write: Write, application: Path, nexus: Any
) -> None:
    write("alpha", None, FIRST, SECOND.replace("def upgrade():", "def upgrade():\n    1 / 0"))
    write("beta", None, FIRST)
    said = nexus("db", "upgrade")
    assert said.code == 1
    assert "alpha: The migration 0002 of plugin 'alpha' failed" in " ".join(said.out.split())
    assert "beta: ran 0001" in said.out
    assert tables(application) == {"beta__items", "beta__alembic_version"}
    said = nexus("db", "upgrade", "--json")
    assert said.code == 1
    assert said.json["items"][0]["problem"]["code"] == "migration-failed"
    assert said.json["items"][1]["problem"] is None


def test_downgrade_shows_what_goes_and_asks(write: Write, application: Path, nexus: Any) -> None:
    write("tasks", MODELS, FIRST, SECOND)
    nexus("db", "upgrade")
    refused = nexus("db", "downgrade", "tasks", "base")
    assert refused.code == 2
    assert "2 migrations of tasks would be taken back (0002, 0001)" in " ".join(refused.err.split())
    assert "tasks__items" in tables(application)

    done = nexus("db", "downgrade", "tasks", "-1", "--yes", "--json")
    assert done.code == 0
    assert done.json["done"] == ["0002"]
    assert done.json["lost"] == ["column tasks__items.color (1 row)"]
    done = nexus("db", "downgrade", "tasks", "base", "--yes")
    assert "took back 0001" in done.out
    assert tables(application) == {"tasks__alembic_version"}
    rows = nexus("audit", "--plugin", "tasks", "--json").json["items"]
    told = [(row["action"], row["result"], row["after"]) for row in reversed(rows)]
    assert told == [
        ("db.upgrade", "done", {"ran": ["0001", "0002"]}),
        ("db.downgrade", "begun", None),
        ("db.downgrade", "done", {"taken_back": ["0002"]}),
        ("db.downgrade", "begun", None),
        ("db.downgrade", "done", {"taken_back": ["0001"]}),
    ]
    assert "nothing to take back" in nexus("db", "downgrade", "tasks", "base").out


def test_downgrade_on_a_terminal(
    write: Write, application: Path, nexus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("tasks", MODELS, FIRST, SECOND)
    nexus("db", "upgrade")
    monkeypatch.setattr("nexus.cli.db_move._is_terminal", lambda: True)
    said = nexus("db", "downgrade", "tasks", "0001", given="n\n")
    assert said.code == 1
    assert "0002  Give them a color" in said.out
    assert "drops column tasks__items.color (1 row)" in said.out
    assert nexus("db", "status", "tasks", "--json").json["items"][0]["current"] == "0002"
    said = nexus("db", "downgrade", "tasks", "0001", given="y\n")
    assert said.code == 0
    assert nexus("db", "status", "tasks", "--json").json["items"][0]["current"] == "0001"


def test_an_unknown_revision_or_plugin_is_told(write: Write, nexus: Any) -> None:
    write("tasks", MODELS, FIRST)
    nexus("db", "upgrade")
    said = nexus("db", "downgrade", "tasks", "0009", "--yes", "--json")
    assert said.code == 1
    assert said.error["code"] == "revision-unknown"
    for words in (("status", "task"), ("upgrade", "task"), ("revision", "task", "-m", "x")):
        said = nexus("db", *words, "--json")
        assert said.code == 1
        assert said.error["code"] == "plugin-not-found"
        assert "tasks" in said.error["message"]


def test_a_newer_database_is_told_by_status_and_refused(write: Write, nexus: Any) -> None:
    folder = write("tasks", MODELS, FIRST, SECOND)
    nexus("db", "upgrade")
    (folder / "migrations" / "versions" / "0002.py").unlink()
    said = nexus("db", "status", "--json")
    assert said.code == 1
    assert said.json["items"][0]["problem"]["code"] == "database-ahead"
    said = nexus("db", "upgrade", "--json")
    assert said.code == 1
    assert said.json["items"][0]["problem"]["code"] == "database-ahead"


def test_a_migration_is_written_run_and_then_nothing_differs(
    write: Write, application: Path, nexus: Any
) -> None:
    folder = write("tasks")
    said = nexus("db", "revision", "tasks", "-m", "First tables")
    assert said.code == 0
    assert "Wrote plugins/tasks/migrations/versions/0001_first_tables.py." in said.out
    file = folder / "migrations" / "versions" / "0001_first_tables.py"
    assert "tasks__items" in file.read_text()
    assert not list(application.rglob("nexus.db"))
    assert not list(folder.rglob("__pycache__"))

    said = nexus("db", "drift", "--json")
    assert said.code == 1
    assert said.json["items"][0]["differences"] == ["The table tasks__items is missing."]
    nexus("db", "upgrade")
    said = nexus("db", "drift")
    assert said.code == 0
    assert "tasks: as in the models" in said.out
    assert "Nothing to do" in nexus("db", "revision", "tasks", "-m", "more").out

    said = nexus("db", "revision", "tasks", "-m", "by hand", "--empty", "--json")
    assert said.json["revision"] == "0002_by_hand"
    assert said.json["follows"] == "0001_first_tables"
    assert nexus("db", "upgrade", "--json").json["items"][0]["done"] == ["0002_by_hand"]


def make_in_place(application: Path, columns: str) -> None:
    with database(application) as connection:
        connection.execute(f"CREATE TABLE tasks__items ({columns})")
        connection.execute("INSERT INTO tasks__items VALUES (1, 'kept')")
    connection.close()


def test_tables_made_in_place_are_taken_over_by_an_upgrade(
    write: Write, application: Path, nexus: Any
) -> None:
    write("tasks")
    nexus("db", "upgrade")  # which makes the database
    make_in_place(application, "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL")
    nexus("db", "revision", "tasks", "-m", "first")
    assert "tasks: up to date at 0001_first" in nexus("db", "upgrade").out
    with database(application) as connection:
        assert connection.execute("SELECT name FROM tasks__items").fetchall() == [("kept",)]
    connection.close()


def test_tables_made_in_place_that_differ_are_told_by_an_upgrade(
    write: Write, application: Path, nexus: Any
) -> None:
    write("tasks")
    nexus("db", "upgrade")  # which makes the database
    make_in_place(application, "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(30) NOT NULL")
    nexus("db", "revision", "tasks", "-m", "first")
    said = nexus("db", "upgrade", "--json")
    assert said.code == 1
    [item] = said.json["items"]
    assert item["problem"]["code"] == "tables-differ"
    assert "The column tasks__items.name is VARCHAR(length=30)" in item["problem"]["message"]
    assert tables(application) == {"tasks__items"}


def test_what_does_not_work_everywhere_is_told(write: Write, nexus: Any) -> None:
    write("tasks", MODELS.replace("mapped_column(String(20))", "mapped_column()"))
    said = nexus("db", "revision", "tasks", "-m", "first")
    assert said.code == 0
    assert "Warning: tasks__items.name: MariaDB needs a length" in said.err
    said = nexus("db", "revision", "tasks", "-m", "again", "--empty", "--json")
    assert said.json["warnings"] == []


def test_a_plugin_without_models_needs_empty(write: Write, nexus: Any) -> None:
    write("tasks", None)
    said = nexus("db", "revision", "tasks", "-m", "x")
    assert said.code == 2
    assert "no models to compare with" in " ".join(said.err.split())
    assert nexus("db", "revision", "tasks", "-m", "x", "--empty").code == 0


@pytest.mark.parametrize(
    ("models", "code", "words"),
    [
        ("import nothing_like_that\n", "plugin-load-error", "nothing_like_that"),
        ("class Item(:\n", "plugin-load-error", "line 1"),
        ("raise SystemExit\n", "plugin-load-error", "SystemExit"),
        (
            MODELS + '    __table_args__ = {"schema": "x"}\n',
            "models-invalid",
            "the schema 'x'",
        ),
    ],
)
def test_models_that_cannot_be_used_are_told(
    write: Write, nexus: Any, models: str, code: str, words: str
) -> None:
    write("tasks", models)
    write("wishes", MODELS, FIRST)
    said = nexus("db", "drift", "--json")
    assert said.code == 1
    broken, sound = said.json["items"]
    assert broken["problem"]["code"] == code
    assert words in broken["problem"]["message"]
    assert sound["problem"] is None
    assert nexus("db", "revision", "tasks", "-m", "x", "--json").error["code"] == code
    assert nexus("db", "status", "--json").json["items"][0]["problem"]["code"] == code


def test_while_the_application_runs_nothing_is_changed(
    write: Write, application: Path, nexus: Any
) -> None:
    write("tasks", MODELS, FIRST)
    nexus("db", "upgrade")
    write("tasks", MODELS, FIRST, SECOND)
    [path] = application.rglob("nexus.db")
    with sole_use(path):
        for words in (("upgrade",), ("downgrade", "tasks", "base", "--yes")):
            said = nexus("db", *words, "--json")
            assert said.code == 1
            assert said.error["code"] == "must-not-run"
        assert nexus("db", "status", "--json").json["items"][0]["current"] == "0001"
        assert nexus("db", "drift", "--json").json["items"][0]["differences"] == []


def test_nothing_to_show(application: Path, nexus: Any) -> None:
    for command in ("status", "drift", "upgrade"):
        said = nexus("db", command)
        assert said.code == 0
        assert "No plugin has" in said.out
        assert nexus("db", command, "--json").json["items"] == []
