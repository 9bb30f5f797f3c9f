"""Migrations run whole or not at all, one worker at a time, on every engine."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nexus.data.database import Database
from nexus.data.migrations import (
    create_in_place,
    downgrade,
    drift,
    prepare_models,
    status,
    tables_of,
    upgrade,
    write_revision,
)
from nexus.errors import (
    DatabaseAhead,
    MigrationFailed,
    MigrationsInvalid,
    MigrationsMissing,
    ModelsInvalid,
    RevisionNotReached,
    RevisionUnknown,
)

FIRST = """
'''Make the items.'''
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade():
    table = op.create_table(
        "tasks__items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20)),
    )
    op.bulk_insert(table, [{"id": 1, "name": "one"}])

def downgrade():
    op.drop_table("tasks__items")
"""
SECOND = """
'''Give them a color.'''
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade():
    op.execute("UPDATE tasks__items SET name = 'two'")
    op.add_column("tasks__items", sa.Column("color", sa.String(20)))

def downgrade():
    with op.batch_alter_table("tasks__items") as batch_op:
        batch_op.drop_column("color")
"""
BROKEN = """
'''Break.'''
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade():
    op.create_table("tasks__extra", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("tasks__items", sa.Column("size", sa.Integer))
    op.execute("INSERT INTO tasks__items (id, name) VALUES (1, 'again')")

def downgrade():
    pass
"""
MODELS = """
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(20))
    color: Mapped[str | None] = mapped_column(String(20))
"""


async def columns(database: Database, table: str = "tasks__items") -> list[str]:
    async with database.transaction(read_only=True) as transaction:
        if database.engine == "sqlite":
            rows = await transaction.fetch_all(f"PRAGMA table_info({table})")
            return [row[1] for row in rows]
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = '{}' {}"
        own = "AND table_schema = DATABASE()" if database.engine == "mariadb" else ""
        rows = await transaction.fetch_all(query.format(table, own) + " ORDER BY ordinal_position")
        return [row[0] for row in rows]


async def items(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.fetch_all("SELECT id, name FROM tasks__items ORDER BY id")
    return [tuple(row) for row in rows]


async def test_migrations_run_in_their_order_and_once(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None, _0002=SECOND, _0001=FIRST)
    before = await status(database, "tasks", folder)
    assert (before.current, before.head) == (None, "0002")
    assert [each.words for each in before.pending] == ["Make the items", "Give them a color"]
    done = await upgrade(database, "tasks", folder)
    assert [each.name for each in done] == ["0001", "0002"]
    assert await items(database) == [(1, "two")]
    assert await columns(database) == ["id", "name", "color"]
    assert await upgrade(database, "tasks", folder) == ()
    after = await status(database, "tasks", folder)
    assert (after.current, after.pending) == ("0002", ())
    assert await tables_of(database, "tasks") == {"tasks__items", "tasks__alembic_version"}


async def test_they_are_taken_back_in_the_opposite_order(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=SECOND)
    await upgrade(database, "tasks", folder)
    back = await downgrade(database, "tasks", folder, "0001")
    assert [each.name for each in back] == ["0002"]
    assert await columns(database) == ["id", "name"]
    assert await items(database) == [(1, "two")]
    await upgrade(database, "tasks", folder)
    back = await downgrade(database, "tasks", folder, "base")
    assert [each.name for each in back] == ["0002", "0001"]
    assert await tables_of(database, "tasks") == {"tasks__alembic_version"}
    assert await downgrade(database, "tasks", folder, "base") == ()


async def test_one_that_fails_leaves_the_data_as_it_was(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST)
    await upgrade(database, "tasks", folder)
    workshop.write("tasks", None, _0002=SECOND, _0003=BROKEN)
    with pytest.raises(MigrationFailed) as caught:
        await upgrade(database, "tasks", folder)
    error = caught.value
    assert error.data["revision"] == "0003"
    line = BROKEN[: BROKEN.index("INSERT")].count("\n") + 1
    assert f"0003.py, line {line}: " in str(error)
    now = await status(database, "tasks", folder)
    if database.engine == "mariadb":
        assert error.data["rolled_back"] is False
        assert error.data["reached"] == now.current == "0002"
        assert "MariaDB cannot roll back" in str(error)
        assert "the tables are at 0002" in str(error)
        assert await items(database) == [(1, "two")]
        assert await columns(database) == ["id", "name", "color", "size"]
    else:
        assert error.data["rolled_back"] is True
        assert error.data["reached"] == now.current == "0001"
        assert "Everything was rolled back: the tables are at 0001" in str(error)
        assert await items(database) == [(1, "one")]
        assert await columns(database) == ["id", "name"]
        assert "tasks__extra" not in await tables_of(database, "tasks")


async def test_the_first_one_that_fails_leaves_nothing(workshop: Any, database: Database) -> None:
    if database.engine == "mariadb":
        pytest.skip("MariaDB cannot roll back changes of tables")
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=SECOND, _0003=BROKEN)
    with pytest.raises(MigrationFailed, match="at the state before the first one"):
        await upgrade(database, "tasks", folder)
    assert await tables_of(database, "tasks") == set()


async def test_when_the_file_is_corrected_it_runs(workshop: Any, database: Database) -> None:
    workshop.write("tasks", None, _0001=FIRST)
    folder = workshop.write("tasks", None, _0002=SECOND.replace('"UPDATE', '"UPDAT'))
    with pytest.raises(MigrationFailed):
        await upgrade(database, "tasks", folder)
    workshop.write("tasks", None, _0002=SECOND)
    await upgrade(database, "tasks", folder)
    assert await items(database) == [(1, "two")]


async def test_data_in_a_migration_is_rolled_back_with_it_on_every_engine(
    workshop: Any, database: Database
) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST)
    await upgrade(database, "tasks", folder)
    only_data = SECOND.replace(
        'op.add_column("tasks__items", sa.Column("color", sa.String(20)))',
        "raise ValueError('no color')",
    )
    workshop.write("tasks", None, _0002=only_data)
    with pytest.raises(MigrationFailed, match="ValueError: no color"):
        await upgrade(database, "tasks", folder)
    assert await items(database) == [(1, "one")]


async def test_a_cancellation_leaves_the_data_as_it_was(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST)
    await upgrade(database, "tasks", folder)
    slow = {
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000000)"
        " UPDATE tasks__items SET name = (SELECT count(*) FROM n)",
        "postgresql": "SELECT pg_sleep(5)",
        "mariadb": "DO SLEEP(5)",
    }[database.engine]
    workshop.write(
        "tasks",
        None,
        _0002=SECOND.replace("    op.add_column", f'    op.execute("{slow}")\n    op.add_column'),
    )
    task = asyncio.create_task(upgrade(database, "tasks", folder))
    await asyncio.sleep(0.2)
    task.cancel()
    if database.location == "memory":
        await asyncio.wait({task})  # it may have been done before anybody could cancel it
        return
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await items(database) == [(1, "one")]
    assert await columns(database) == ["id", "name"]
    # The lock is free again.
    workshop.write("tasks", None, _0002=SECOND)
    async with asyncio.timeout(20):
        await upgrade(database, "tasks", folder)


async def test_a_database_ahead_of_the_files_is_left_alone(
    workshop: Any, database: Database
) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=SECOND)
    await upgrade(database, "tasks", folder)
    (folder / "migrations/versions/0002.py").unlink()
    found = await status(database, "tasks", folder)
    assert (found.current, found.head, found.unknown) == ("0002", "0001", ("0002",))
    for move in (upgrade(database, "tasks", folder), downgrade(database, "tasks", folder, "base")):
        with pytest.raises(DatabaseAhead) as caught:
            await move
        assert "revision 0002" in str(caught.value)
        assert "end with 0001" in str(caught.value)
    assert await items(database) == [(1, "two")]


async def test_an_unknown_target_is_named_with_those_there_are(
    workshop: Any, database: Database
) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=SECOND)
    await upgrade(database, "tasks", folder)
    with pytest.raises(RevisionUnknown, match=r"'0009'.*base, 0001, 0002"):
        await downgrade(database, "tasks", folder, "0009")


@pytest.mark.parametrize("target", ["-3", "0002"])
async def test_a_target_that_the_tables_are_not_behind_is_refused(
    workshop: Any, database: Database, target: str
) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=SECOND)
    await upgrade(database, "tasks", folder)
    await downgrade(database, "tasks", folder, "-1")
    with pytest.raises(RevisionNotReached, match=r"have run: 0001\."):
        await downgrade(database, "tasks", folder, target)
    assert await columns(database) == ["id", "name"]


async def test_two_plugins_migrate_side_by_side(workshop: Any, database: Database) -> None:
    folders = {}
    for name in ("tasks", "wishes"):
        first = FIRST.replace("tasks__", f"{name}__")
        second = SECOND.replace("tasks__", f"{name}__")
        folders[name] = workshop.write(name, None, _0001=first, _0002=second)
    await asyncio.gather(*(upgrade(database, name, folder) for name, folder in folders.items()))
    for name in folders:
        assert await columns(database, f"{name}__items") == ["id", "name", "color"]


async def test_two_workers_never_migrate_at_once(
    workshop: Any, database: Database, url: Any, tmp_path: Path
) -> None:
    if url is None:
        pytest.skip("a database in memory has one process")
    slow = FIRST.replace("def upgrade():", "def upgrade():\n    import time; time.sleep(0.5)")
    folder = workshop.write("tasks", None, _0001=slow, _0002=SECOND)
    script = tmp_path / "worker.py"
    script.write_text(
        "import asyncio, json, sys\n"
        "from pathlib import Path\n"
        "from nexus.data.database import Limits\n"
        "from nexus.data.engines.opening import make_database\n"
        "from nexus.data.migrations import upgrade\n"
        "from nexus.data.url import DatabaseUrl\n"
        "from nexus.errors import DatabaseUnavailable\n"
        "async def main():\n"
        "    database = make_database(DatabaseUrl(**json.loads(sys.argv[1])),"
        " limits=Limits(transaction=0.1), busy_timeout=0.1)\n"
        "    while True:\n"
        "        try:\n"
        "            await database.open()\n"
        "            break\n"
        "        except DatabaseUnavailable:  # another worker keeps the file locked\n"
        "            pass\n"
        "    done = await upgrade(database, 'tasks', Path(sys.argv[2]))\n"
        "    print(len(done))\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    names = ("engine", "path", "host", "port", "user", "password", "database")
    where = json.dumps({name: getattr(url, name) for name in names})

    async def work() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            where,
            str(folder),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return int(out)

    assert sorted(await asyncio.gather(work(), work(), work())) == [0, 0, 2]
    assert await items(database) == [(1, "two")]


async def test_nothing_is_written_into_the_folder(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=SECOND)
    (folder / "migrations" / "env.py").write_text("raise SystemExit('nobody runs this')\n")
    (folder / "migrations" / "versions" / "_notes.py").write_text("1 / 0\n")
    before = sorted(folder.rglob("*"))
    await upgrade(database, "tasks", folder)
    await downgrade(database, "tasks", folder, "base")
    assert sorted(folder.rglob("*")) == before


async def test_files_may_lie_in_migrations_itself(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", MODELS)
    (folder / "migrations").mkdir()
    (folder / "migrations" / "a.py").write_text(FIRST)
    (folder / "migrations" / "b.py").write_text(SECOND)
    await upgrade(database, "tasks", folder)
    assert await columns(database) == ["id", "name", "color"]
    models = workshop.load("tasks").models
    written = await write_revision("tasks", folder, models, "by hand", empty=True)
    assert written is not None
    assert written.file.parent == folder / "migrations"
    assert written.follows == "0002"
    await upgrade(database, "tasks", folder)


# What happens before a plugin starts


async def test_models_without_migrations_are_made_while_developing(
    workshop: Any, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = workshop.load("tasks", MODELS)
    await prepare_models(database, "tasks", plugin.folder, plugin.models, environment="development")
    async with plugin.session() as session:
        session.add(plugin.module.Item(name="a"))
    await prepare_models(database, "tasks", plugin.folder, plugin.models, environment="development")
    assert [name for _, name in await items(database)] == ["a"]
    assert "differ" not in caplog.text

    changed = workshop.load("tasks", MODELS.replace("color", "colour"))
    await prepare_models(
        database, "tasks", changed.folder, changed.models, environment="development"
    )
    [record] = [each for each in caplog.records if "differ" in each.message]
    assert "The column tasks__items.colour is missing." in record.differences  # type: ignore[attr-defined]
    assert await create_in_place(database, changed.models) == []


async def test_models_that_no_migration_leads_to_are_warned_of_once(
    workshop: Any, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = workshop.load("tasks", MODELS)
    await write_revision("tasks", plugin.folder, plugin.models, "first")
    changed = workshop.load("tasks", MODELS.replace("color", "colour"))

    async def start(environment: str) -> None:
        await prepare_models(
            database, "tasks", changed.folder, changed.models, environment=environment
        )

    for environment in ("production", "development", "development"):
        await start(environment)
    [record] = [each for each in caplog.records if "differ" in each.message]
    assert "The column tasks__items.colour is missing." in record.differences  # type: ignore[attr-defined]


async def test_a_migration_that_drops_something_says_so(workshop: Any) -> None:
    plugin = workshop.load("tasks", MODELS)
    await write_revision("tasks", plugin.folder, plugin.models, "first")
    changed = workshop.load("tasks", MODELS.replace("color", "colour"))
    written = await write_revision("tasks", changed.folder, changed.models, "second")
    assert written is not None
    [told] = [each for each in written.warnings if "dropped" in each]
    assert "tasks__items.color:" in told
    assert "new_column_name" in told


async def test_models_without_migrations_are_refused_in_production(
    workshop: Any, database: Database
) -> None:
    plugin = workshop.load("tasks", MODELS)
    with pytest.raises(MigrationsMissing, match=r"tasks__items.*nexus db revision tasks"):
        await prepare_models(
            database, "tasks", plugin.folder, plugin.models, environment="production"
        )
    assert await tables_of(database, "tasks") == set()


async def test_migrations_run_before_a_start_anywhere(workshop: Any, database: Database) -> None:
    workshop.write("tasks", MODELS, _0001=FIRST, _0002=SECOND)
    plugin = workshop.load("tasks")
    await prepare_models(database, "tasks", plugin.folder, plugin.models, environment="production")
    assert await drift(database, plugin.models) == []


async def test_a_plugin_without_either_needs_nothing(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None)
    await prepare_models(database, "tasks", folder, None, environment="production")
    assert await tables_of(database, "tasks") == set()


async def test_tables_made_while_developing_are_taken_over_by_the_first_migration(
    workshop: Any, database: Database
) -> None:
    plugin = workshop.load("tasks", MODELS)
    arguments = ("tasks", plugin.folder, plugin.models)
    await prepare_models(database, *arguments, environment="development")
    async with plugin.session() as session:
        session.add(plugin.module.Item(name="a"))
    await write_revision("tasks", plugin.folder, plugin.models, "first")
    await prepare_models(database, *arguments, environment="development")
    assert (await status(database, "tasks", plugin.folder)).pending == ()
    assert [name for _, name in await items(database)] == ["a"]


async def test_collections_are_no_models_that_were_forgotten(
    workshop: Any, database: Database
) -> None:
    plugin = workshop.load("tasks", MODELS)
    await create_in_place(database, plugin.models)
    await database.execute(
        "CREATE TABLE tasks__notes (id VARCHAR(20) PRIMARY KEY, version BIGINT, shape INTEGER,"
        " doc VARCHAR(100))"
    )
    await database.execute("CREATE TABLE tasks__left (id INTEGER PRIMARY KEY)")
    await database.execute("CREATE TABLE wishes__items (id INTEGER PRIMARY KEY)")
    assert await drift(database, plugin.models) == [
        "The table tasks__left is there, and no model has it."
    ]


async def test_a_text_without_a_length_is_told_of(workshop: Any, database: Database) -> None:
    plugin = workshop.load("tasks", MODELS.replace("String(20)", "String", 1))
    written = await write_revision("tasks", plugin.folder, plugin.models, "first")
    assert written is not None
    [warning] = written.warnings
    assert "tasks__items.name: MariaDB needs a length" in warning
    if database.engine == "mariadb":
        with pytest.raises(MigrationFailed, match="VARCHAR requires a length"):
            await upgrade(database, "tasks", plugin.folder, plugin.models)
        with pytest.raises(ModelsInvalid, match="VARCHAR requires a length"):
            await create_in_place(database, plugin.models)
    else:
        await upgrade(database, "tasks", plugin.folder, plugin.models)


async def test_a_file_that_cannot_be_imported_is_named(workshop: Any, database: Database) -> None:
    folder = workshop.write("tasks", None, _0001=FIRST + "\nimport missing_module\n")
    with pytest.raises(MigrationsInvalid, match=r"0001.py raised ModuleNotFoundError"):
        await upgrade(database, "tasks", folder)


PARENTS = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade():
    op.create_table(
        "tasks__items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20)),
    )
    op.create_table(
        "tasks__parts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.Integer, sa.ForeignKey("tasks__items.id", ondelete="CASCADE")),
    )
    op.execute("INSERT INTO tasks__items (id, name) VALUES (1, 'one')")
    op.execute("INSERT INTO tasks__parts (id, item_id) VALUES (1, 1)")

def downgrade():
    pass
"""
CHANGED = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade():
    with op.batch_alter_table("tasks__items") as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.String(20), type_=sa.String(40), nullable=False
        )

def downgrade():
    pass
"""


async def test_a_table_that_others_refer_to_is_changed_and_they_stay(
    workshop: Any, database: Database
) -> None:
    folder = workshop.write("tasks", None, _0001=PARENTS)
    await upgrade(database, "tasks", folder)
    workshop.write("tasks", None, _0002=CHANGED)
    await upgrade(database, "tasks", folder)
    assert await items(database) == [(1, "one")]
    assert [tuple(row) for row in await database.fetch_all("SELECT id FROM tasks__parts")] == [(1,)]
    # And from now on they are held to it again.
    await database.execute("DELETE FROM tasks__items")
    assert [tuple(row) for row in await database.fetch_all("SELECT id FROM tasks__parts")] == []


async def test_a_migration_that_leaves_rows_pointing_nowhere_fails(
    workshop: Any, database: Database
) -> None:
    folder = workshop.write("tasks", None, _0001=PARENTS)
    await upgrade(database, "tasks", folder)
    careless = CHANGED.replace(
        "    with op", '    op.execute("UPDATE tasks__parts SET item_id = 7")\n    with op'
    )
    workshop.write("tasks", None, _0002=careless)
    with pytest.raises((MigrationsInvalid, MigrationFailed)):
        await upgrade(database, "tasks", folder)
    rows = await database.fetch_all("SELECT item_id FROM tasks__parts")
    assert [tuple(row) for row in rows] == [(1,)]
    assert (await status(database, "tasks", folder)).current == "0001"


async def test_autocommit_blocks_are_refused_in_words(workshop: Any, database: Database) -> None:
    alone = SECOND.replace(
        "def upgrade():",
        "def upgrade():\n    with op.get_context().autocommit_block():\n        pass",
    )
    folder = workshop.write("tasks", None, _0001=FIRST, _0002=alone)
    with pytest.raises(MigrationFailed, match="all migrations run in one transaction"):
        await upgrade(database, "tasks", folder)
