import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def stored(nexus, make_keeper, run) -> Path:
    """A plugin that has run once, and has a setting."""
    folder: Path = make_keeper()
    nexus("config", "set", "greeter", "word", "before")
    run()
    return folder


def test_it_shows_what_goes_and_needs_somebody_to_ask(nexus, stored) -> None:
    said = nexus("plugin", "purge", "greeter")
    assert said.code == 2
    assert "Give --yes" in said.err
    lines = [line.split() for line in said.out.splitlines()]
    assert ["settings", "1", "value", "word"] in lines
    assert ["set_data", "2", "values"] in lines
    assert ["collection", "items", "1", "document", "greeter__items"] in lines
    assert ["first", "data", "2", "notes"] in lines
    assert nexus("plugin", "purge", "greeter", "--json").error["code"] == "bad-argument"
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("y\n", 0)])
def test_it_goes_by_the_answer(
    nexus, stored, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("nexus.cli.plugin_purge._may_ask", lambda: True)
    said = nexus("plugin", "purge", "greeter", given=answer)
    assert said.code == code
    left = nexus("config", "get", "greeter", "--json").json["items"]
    assert bool(left) is bool(code)


def test_everything_goes_and_is_told(nexus, stored, application: Path) -> None:
    nexus("plugin", "disable", "greeter")
    said = nexus("plugin", "purge", "greeter", "--yes", "--json").json
    assert said["running"] is False
    assert said["database"] == str(application / "data" / "nexus.db")
    assert said["stays_disabled"] is True
    removed: Any = said["removed"]
    assert removed["settings"] == ["word"]
    assert removed["collections"] == [{"name": "items", "table": "greeter__items", "documents": 1}]
    again = nexus("plugin", "purge", "greeter")
    assert again.code == 0
    assert "had stored nothing" in again.out
    assert "It stays disabled; 'nexus plugin enable greeter'" in again.out


def test_a_plugin_that_was_purged_begins_from_nothing(nexus, stored, run) -> None:
    before = nexus("data", "export", "greeter", "before.jsonl", "--json").json["counts"]
    nexus("plugin", "purge", "greeter", "--yes")
    run()
    after = nexus("data", "export", "greeter", "after.jsonl", "--json").json["counts"]
    assert after == {**before, "settings": 0}


def test_a_plugin_whose_folder_is_gone_goes_too(nexus, stored: Path) -> None:
    nexus("plugin", "disable", "greeter")
    shutil.rmtree(stored)
    assert nexus("plugin", "info", "greeter").code == 1
    said = nexus("plugin", "purge", "greeter", "--yes", "--json").json
    assert said["removed"]["wish"] is False
    assert said["stays_disabled"] is False
    assert nexus("plugin", "purge", "greeter", "--yes", "--json").error["code"] == (
        "plugin-not-found"
    )


@pytest.mark.parametrize("name", ["nobody", "greeter__items", "Greeter", "nexus", ""])
def test_a_name_that_is_no_plugins_is_told(nexus, stored, name: str) -> None:
    said = nexus("plugin", "purge", name, "--yes", "--json")
    assert said.code == 1
    assert said.error["code"] == "plugin-not-found"


def test_an_application_that_runs_elsewhere_keeps_its_data(nexus, stored, application) -> None:
    from nexus.data import sole_use

    with sole_use(application / "data" / "nexus.db"):
        said = nexus("plugin", "purge", "greeter", "--yes", "--json")
    assert said.error["code"] == "database-in-use"
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"


def test_without_a_database_there_is_nothing(nexus, make_plugin, application: Path) -> None:
    make_plugin()
    said = nexus("plugin", "purge", "greeter", "--yes", "--json")
    assert said.error["code"] == "backup-refused"
    assert not (application / "data" / "nexus.db").exists()
