from pathlib import Path

import pytest

FIELDS = {
    "retries": {"type": "integer", "default": 3, "max": 10},
    "tags": {"type": "array"},
    "key": {"type": "string", "secret": True, "required": True},
}


@pytest.fixture
def greeter(make_plugin) -> Path:
    folder: Path = make_plugin(configuration=FIELDS)
    return folder


def test_values_are_shown_with_their_sources(nexus, greeter) -> None:
    items = {
        item["key"]: item for item in nexus("config", "get", "greeter", "--json").json["items"]
    }
    assert (items["retries"]["value"], items["retries"]["source"]) == (3, "manifest.json")
    assert items["key"]["value"] is None
    said = nexus("config", "get", "greeter")
    assert "retries" in said.out
    assert "required, secret" in said.out


def test_one_value_is_shown(nexus, greeter) -> None:
    assert nexus("config", "get", "greeter", "retries").out == "retries = 3 (from manifest.json)\n"


def test_an_unknown_setting_is_told_with_the_closest(nexus, greeter) -> None:
    said = nexus("config", "get", "greeter", "retires", "--json")
    assert said.code == 1
    assert "Did you mean 'retries'?" in said.error["message"]


def test_a_value_is_read_by_its_declared_type(nexus, greeter) -> None:
    said = nexus("config", "set", "greeter", "retries", "5", "--json")
    assert said.json["value"] == 5
    assert said.json["source"] == "stored"
    assert nexus("config", "set", "greeter", "tags", '["a"]', "--json").json["value"] == ["a"]
    assert nexus("config", "get", "greeter", "retries", "--json").json["value"] == 5


def test_an_undeclared_value_is_json_or_text(nexus, greeter) -> None:
    assert nexus("config", "set", "greeter", "limit", "7", "--json").json["value"] == 7
    assert nexus("config", "set", "greeter", "word", "seven", "--json").json["value"] == "seven"


@pytest.mark.parametrize("value", ["eleven", "11"])
def test_a_value_that_does_not_fit_is_refused(nexus, greeter, value: str) -> None:
    said = nexus("config", "set", "greeter", "retries", value, "--json")
    assert said.code == 4
    assert said.error["code"] == "config-value-refused"
    assert nexus("config", "get", "greeter", "retries", "--json").json["value"] == 3


def test_a_stored_value_can_be_removed(nexus, greeter) -> None:
    nexus("config", "set", "greeter", "retries", "5")
    said = nexus("config", "set", "greeter", "retries", "--unset", "--json")
    assert (said.json["value"], said.json["source"]) == (3, "manifest.json")
    assert nexus("config", "set", "greeter", "limit", "--null", "--json").json["value"] is None


def test_a_value_and_unset_exclude_each_other(nexus, greeter) -> None:
    assert nexus("config", "set", "greeter", "retries", "5", "--unset").code == 2


def test_a_setting_that_the_environment_fixes_is_refused(nexus, greeter, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_PLUGINS__GREETER__RETRIES", "2")
    said = nexus("config", "set", "greeter", "retries", "5", "--json")
    assert said.code == 4
    assert "NEXUS_PLUGINS__GREETER__RETRIES" in said.error["message"]


def test_a_secret_comes_from_standard_input(nexus, greeter) -> None:
    said = nexus("config", "set", "greeter", "key", "-", "--json", given="hidden-value\n")
    assert said.json["value"] == "********"
    assert said.json["state"] == "stopped"
    assert "hidden-value" not in nexus("config", "get", "greeter").out


def test_a_secret_that_is_left_out_is_asked_for(nexus, greeter) -> None:
    said = nexus("config", "set", "greeter", "key", given="hidden-value\n")
    assert said.code == 0
    assert "hidden-value" not in said.out + said.err


def test_any_other_value_must_be_given(nexus, greeter) -> None:
    assert nexus("config", "set", "greeter", "retries").code == 2


def test_a_stored_secret_is_encrypted(nexus, greeter, application: Path) -> None:
    nexus("config", "set", "greeter", "key", "hidden-value")
    for path in (application / "data").iterdir():
        assert b"hidden-value" not in path.read_bytes()


def test_unknown_and_unreadable_plugins_are_told(nexus, make_plugin) -> None:
    make_plugin("broken", version=3)
    assert nexus("config", "get", "nobody", "--json").error["code"] == "plugin-not-found"
    assert nexus("config", "set", "nobody", "a", "1", "--json").error["code"] == "plugin-not-found"
    assert nexus("config", "get", "broken", "--json").error["code"] == "plugin-has-no-settings"
    assert nexus("config", "set", "broken", "a", "1", "--json").code == 1


def test_a_setting_that_is_not_declared_is_stored_with_a_warning(nexus, greeter) -> None:
    said = nexus("config", "set", "greeter", "retires", "5")
    assert said.code == 0
    assert "greeter declares no setting 'retires'; did you mean 'retries'?\n" in said.err
    said = nexus("config", "set", "greeter", "retires", "5", "--json")
    assert said.json["value"] == 5
    assert said.json["warning"] == "greeter declares no setting 'retires'; did you mean 'retries'?"
    assert "did you mean" not in nexus("config", "set", "greeter", "zzz", "5").err
    assert nexus("config", "set", "greeter", "retries", "5", "--json").json["warning"] is None
    assert nexus("config", "set", "greeter", "retires", "--unset", "--json").json["warning"] is None


def test_a_plugin_that_declares_nothing_gets_no_warning(nexus, make_plugin) -> None:
    make_plugin("free")
    assert nexus("config", "set", "free", "limit", "5", "--json").json["warning"] is None


def test_the_database_that_was_changed_is_named(nexus, greeter, application: Path) -> None:
    database = str(application / "data" / "nexus.db")
    assert database in nexus("config", "set", "greeter", "retries", "5").err
    said = nexus("config", "set", "greeter", "retries", "5", "--json")
    assert said.json["database"] == database
    for command in ("disable", "enable"):
        assert database in nexus("plugin", command, "greeter").err
        assert nexus("plugin", command, "greeter", "--json").json["database"] == database
