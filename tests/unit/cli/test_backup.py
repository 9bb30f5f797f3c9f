import asyncio
import os
from pathlib import Path

import pytest

from nexus.app import create_nexus_app
from nexus.data import sole_use


@pytest.fixture
def stored(nexus, make_plugin) -> None:
    make_plugin()
    nexus("config", "set", "greeter", "word", "before")


def test_data_survives_backup_and_restore(nexus, stored, application: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    said = nexus("backup", str(file), "--json")
    assert said.json == {
        "running": False,
        "file": str(file),
        "bytes": file.stat().st_size,
        "database": str(Path.cwd() / "data" / "nexus.db"),
    }
    nexus("config", "set", "greeter", "word", "after")

    said = nexus("restore", str(file), "--yes", "--json")

    assert Path(said.json["replaced"]).is_file()
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"
    last = nexus("audit", "--limit", "1", "--json").json["items"][0]
    assert (last["action"], last["actor"][:4]) == ("system.restore", "cli:")
    assert last["after"] == {"file": str(file)}
    assert last["before"] == {"kept_as": said.json["replaced"]}


def test_a_backup_is_on_record(nexus, stored, tmp_path: Path) -> None:
    nexus("backup", str(tmp_path / "backup.db"))
    last = nexus("audit", "--limit", "1", "--json").json["items"][0]
    assert (last["action"], last["after"]) == (
        "system.backup",
        {"file": str(tmp_path / "backup.db")},
    )


def test_a_backup_overwrites_nothing(nexus, stored, tmp_path: Path) -> None:
    (tmp_path / "backup.db").write_text("mine", encoding="utf-8")
    assert nexus("backup", str(tmp_path / "backup.db"), "--json").error["code"] == "already-there"
    assert (tmp_path / "backup.db").read_text(encoding="utf-8") == "mine"


def test_without_data_there_is_nothing_to_back_up(nexus, application, tmp_path: Path) -> None:
    said = nexus("backup", str(tmp_path / "backup.db"), "--json")
    assert said.code == 1
    assert not (tmp_path / "backup.db").exists()


def test_a_restore_asks_first(nexus, stored, tmp_path: Path) -> None:
    nexus("backup", str(tmp_path / "backup.db"))
    said = nexus("restore", str(tmp_path / "backup.db"), "--json")
    assert said.code == 2
    assert "--yes" in said.error["message"]


def test_what_is_no_backup_is_refused(nexus, stored, tmp_path: Path) -> None:
    (tmp_path / "backup.db").write_text("no database", encoding="utf-8")
    said = nexus("restore", str(tmp_path / "backup.db"), "--yes", "--json")
    assert said.code == 1
    assert said.error["code"] == "backup-refused"
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"
    assert "nexus restore FILE" not in said.error["message"]
    said = nexus("restore", str(tmp_path / "none.db"), "--yes", "--json")
    assert said.code == 1
    assert "there is no such file. Name a file" in said.error["message"]


def test_a_running_application_is_not_restored(nexus, stored, application, tmp_path: Path) -> None:
    nexus("backup", str(tmp_path / "backup.db"))
    with sole_use(application / "data" / "nexus.db"):
        said = nexus("restore", str(tmp_path / "backup.db"), "--yes", "--json")
    assert said.code == 1
    assert said.error["code"] == "must-not-run"
    with sole_use(application / "data" / "nexus.db"):
        said = nexus("token", "renew", "--json")
    assert said.error["code"] == "must-not-run"
    assert f"process {os.getpid()}" in said.error["message"]


async def test_a_new_token_opens_the_management_api(application: Path) -> None:

    from typer.testing import CliRunner

    from nexus.cli.main import app

    first, second = [
        (await asyncio.to_thread(CliRunner().invoke, app, ["token", "renew"])).stdout.split()[-1]
        for _ in range(2)
    ]
    async with create_nexus_app(application, environ={}, configure_logging=False).running() as made:
        assert made.first_token is None
        assert made.tokens.accepts(second)
        assert not made.tokens.accepts(first)


def test_a_backup_names_what_it_copied(nexus, stored, application, tmp_path: Path) -> None:
    said = nexus("backup", str(tmp_path / "backup.db"))
    assert f"It is a copy of {application / 'data' / 'nexus.db'}.\n" in said.out


async def test_a_database_that_others_may_use_too_is_not_changed_beside_an_application(
    nexus, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is locked there, as with a server's database."""
    monkeypatch.setenv("NEXUS_DATABASE__SHARED", "true")
    commands = (("token", "renew", "--json"), ("events", "switch", "--yes", "--json"))
    made = create_nexus_app(application, environ=os.environ, configure_logging=False)
    async with made.running():
        for words in commands:
            said = await asyncio.to_thread(nexus, *words)
            assert said.error["code"] == "must-not-run", words
            assert f":{os.getpid()}" in said.error["message"]
        assert made.first_token is not None
        assert made.tokens.accepts(made.first_token)
    for words in commands:
        assert (await asyncio.to_thread(nexus, *words)).code == 0, words
    said = await asyncio.to_thread(nexus, "audit", "--json")
    actions = [each["action"] for each in said.json["items"]]
    assert {"token.renew", "events.switch"} <= set(actions)
