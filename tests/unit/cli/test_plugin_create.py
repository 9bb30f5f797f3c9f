import json
from pathlib import Path

import pytest

from nexus.manifest import read_manifest


def test_a_plugin_is_made_that_passes_its_check(nexus, application: Path) -> None:
    said = nexus("plugin", "create", "hello_world", "--json")

    folder = application / "plugins" / "hello_world"
    assert said.code == 0
    assert said.json["folder"] == str(folder)
    for file in said.json["files"]:
        assert (folder / file).is_file()
    assert read_manifest(folder).problems == ()
    [checked] = nexus("plugin", "check", "hello_world", "--strict", "--json").json["items"]
    assert checked["ok"]
    assert [each["level"] for each in checked["findings"]] == ["note"]
    assert "user.created" in checked["findings"][0]["message"]  # which somebody else is to publish


def test_a_category_is_a_folder_between(nexus, application: Path) -> None:
    said = nexus("plugin", "create", "hello", "--category", "tools", "--json")

    folder = application / "plugins" / "tools" / "hello"
    assert said.json["folder"] == str(folder)
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["category"] == "tools"
    assert "from plugins.tools.hello.plugin import" in (folder / "tests/test_plugin.py").read_text(
        encoding="utf-8"
    )
    assert nexus("plugin", "check", "hello", "--strict").code == 0


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("My-Plugin", "my_plugin"), ("../x", "x"), ("nexus", None), ("con", None), ("1", None)],
)
def test_a_bad_name_is_refused_with_the_rule(nexus, application, name, suggestion) -> None:
    said = nexus("plugin", "create", "--json", "--", name)
    assert said.code == 2
    assert said.error["code"] == "plugin-name-refused"
    assert "Expected" in said.error["message"]
    assert ("Did you mean" in said.error["message"]) is (suggestion is not None)
    assert list((application / "plugins").iterdir()) == []


def test_a_bad_category_is_refused(nexus, application: Path) -> None:
    assert nexus("plugin", "create", "hello", "--category", "../up").code == 2
    assert list((application / "plugins").iterdir()) == []


def test_nothing_is_overwritten(nexus, application: Path) -> None:
    (application / "plugins" / "hello").mkdir()
    said = nexus("plugin", "create", "hello", "--json")
    assert said.code == 1
    assert said.error["code"] == "already-there"
    assert list((application / "plugins" / "hello").iterdir()) == []


def test_a_second_plugin_of_a_name_is_refused(nexus, application: Path) -> None:
    nexus("plugin", "create", "hello")
    assert nexus("plugin", "create", "hello", "--category", "tools").code == 1


def test_the_next_steps_are_told(nexus, application: Path) -> None:
    said = nexus("plugin", "create", "hello")
    assert "nexus plugin test hello" in said.out
    assert "nexus run" in said.out


def test_the_next_steps_stand_in_columns(nexus, application: Path) -> None:
    lines = nexus("plugin", "create", "hello").out.splitlines()
    steps = lines[lines.index("Next:") + 1 :]
    texts = ("run its tests", "hold its code", "serve it at")
    columns = {line.index(text) for line, text in zip(steps, texts, strict=True)}
    assert len(columns) == 1
