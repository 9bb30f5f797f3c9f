import json
from pathlib import Path

import pytest


def test_what_would_become_of_each_plugin_is_told(nexus, make_plugin) -> None:
    make_plugin("ready")
    make_plugin("lonely", dependencies=["nobody"])
    make_plugin("keyless", configuration={"key": {"type": "string", "required": True}})
    make_plugin("broken", version=3)
    make_plugin("off")
    nexus("plugin", "disable", "off")

    said = nexus("plugin", "list", "--json")

    assert said.json["running"] is False
    items = {item["name"]: item for item in said.json["items"]}
    assert {name: item["state"] for name, item in items.items()} == {
        "ready": "stopped",
        "lonely": "blocked",
        "keyless": "blocked",
        "broken": "invalid",
        "off": "disabled",
    }
    assert "nobody" in items["lonely"]["reason"]
    assert "key" in items["keyless"]["reason"]
    assert items["off"]["enabled"] is False


def test_reading_makes_no_database(nexus, make_plugin, application: Path) -> None:
    make_plugin()
    nexus("plugin", "list")
    assert not (application / "data").exists()


def test_the_table_fits_80_columns(nexus, make_plugin) -> None:
    make_plugin("a_plugin_with_quite_a_long_name", dependencies=["another_one_that_is_missing"])
    said = nexus("plugin", "list")
    assert said.code == 0
    assert max(len(line) for line in said.out.splitlines()) <= 80
    assert "No application is running" in said.err


@pytest.mark.parametrize("columns", ["0", "1"])
def test_without_room_it_is_still_readable(nexus, make_plugin, monkeypatch, columns: str) -> None:
    make_plugin()
    monkeypatch.setenv("COLUMNS", columns)
    for command in ("list", "info"):
        words = ("greeter",) if command == "info" else ()
        assert "greeter" in nexus("plugin", command, *words).out


def test_all_of_a_plugin_is_shown(nexus, make_plugin) -> None:
    make_plugin(
        title="The Greeter",
        description="Says [hello].",
        configuration={"key": {"type": "string", "secret": True, "default": "hidden-value"}},
        api_endpoints=[{"method": "GET", "path": "/x", "description": "An x"}],
        permissions=["database.read"],
    )
    said = nexus("plugin", "info", "greeter")
    assert said.code == 0
    for text in ("The Greeter", "Says [hello].", "GET /x", "An x", "database.read", "key"):
        assert text in said.out
    assert "hidden-value" not in said.out
    assert nexus("plugin", "info", "greeter", "--json").json["settings"][0]["secret"] is True


def test_a_broken_plugin_can_be_shown(nexus, make_plugin) -> None:
    make_plugin(version=3)
    said = nexus("plugin", "info", "greeter")
    assert said.code == 0
    assert "version" in said.out


def test_an_unknown_plugin_is_told(nexus, make_plugin) -> None:
    make_plugin()
    said = nexus("plugin", "info", "greter", "--json")
    assert said.code == 1
    assert said.error["code"] == "plugin-not-found"


def test_a_wish_is_stored_for_the_next_start(nexus, make_plugin) -> None:
    make_plugin()
    said = nexus("plugin", "disable", "greeter")
    assert said.code == 0
    assert "next start" in said.err
    assert nexus("plugin", "list", "--json").json["items"][0]["state"] == "disabled"
    assert nexus("plugin", "enable", "greeter", "--json").json["enabled"] is True
    assert nexus("plugin", "list", "--json").json["items"][0]["state"] == "stopped"


def test_a_wish_for_an_unknown_plugin_stores_nothing(nexus, application: Path) -> None:
    assert nexus("plugin", "enable", "nobody").code == 1


def test_only_listed_plugins_start_where_the_settings_say_so(
    nexus, make_plugin, application: Path
) -> None:
    make_plugin("one")
    make_plugin("two")
    settings = {"startup": {"enable": "listed", "plugins": ["two"]}}
    (application / "nexus.yaml").write_text(json.dumps(settings), encoding="utf-8")
    items = nexus("plugin", "list", "--json").json["items"]
    assert [item["state"] for item in items] == ["disabled", "stopped"]
    assert "startup.plugins does not list it" in items[0]["reason"]
    nexus("plugin", "disable", "one")
    items = nexus("plugin", "list", "--json").json["items"]
    assert items[0]["reason"] == "An operator has disabled it."


def test_what_needs_a_running_application_says_so(nexus, make_plugin) -> None:
    make_plugin()
    for words in (
        ("plugin", "reload", "greeter"),
        ("maintenance", "on"),
        ("maintenance", "off"),
        ("health",),
    ):
        said = nexus(*words, "--json")
        assert said.code == 3, words
        assert said.error["code"] == "nothing-running"
        assert "nexus run" in said.error["message"]


def test_what_will_not_start_or_will_with_a_plugin_is_told(nexus, make_plugin) -> None:
    make_plugin("stock")
    make_plugin("shop", dependencies=["stock"])
    make_plugin("other")
    said = nexus("plugin", "disable", "stock")
    assert "  shop is blocked then: It needs the plugin 'stock', which is disabled." in said.out
    assert "other" not in said.out
    assert "  shop starts with it.\n" in nexus("plugin", "enable", "stock").out


def test_permissions_are_shown_with_their_meaning_and_unknown_ones_as_such(
    nexus, make_plugin
) -> None:
    make_plugin(permissions=["audit.write", "unknown.one"])
    shown = " ".join(nexus("plugin", "info", "greeter").out.split())
    assert "audit.write granted - Write rows of its own into the audit log." in shown
    assert "unknown.one unknown -" in shown
