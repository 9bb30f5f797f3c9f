"""Which names plugins, events and settings may have."""

import pytest

from nexus.manifest import refuse_plugin_name
from nexus.manifest.names import EVENT_NAME, EVENT_PATTERN, PLUGIN_NAME, SETTING_NAME


@pytest.mark.parametrize("name", ["a", "my_awesome_plugin", "a1", "x" * 63, "com10", "nexus_extra"])
def test_a_plain_name_is_a_plugins_name(name: str):
    assert refuse_plugin_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "A", "1a", "_a", "a_", "a__b", "a-b", "a.b", "../x", "é", "x" * 64, "a\n"),
        *("nexus", "system", "plugin", "plugins", "con", "nul", "prn", "aux", "com1", "lpt9"),
        *("import", "async"),
    ],
)
def test_a_name_that_would_mean_something_else_is_refused(name: str):
    assert refuse_plugin_name(name)


@pytest.mark.parametrize(
    ("name", "near"), [("My-Plugin", "my_plugin"), ("a__b", "a_b"), ("!", None), ("Nexus", None)]
)
def test_a_refused_name_comes_with_a_valid_one_where_there_is_one(name: str, near: str | None):
    refusal = PLUGIN_NAME.refuse(name)

    assert refusal is not None
    assert refusal.nearest == near


@pytest.mark.parametrize("name", ["apiKey", "MAX_SIZE", "a"])
def test_a_setting_may_have_capitals(name: str):
    assert SETTING_NAME.refuse(name) is None


@pytest.mark.parametrize("name", ["a__b", "a_", "_a", "api-key", "a.b", ""])
def test_a_setting_that_no_environment_variable_can_name_is_refused(name: str):
    assert SETTING_NAME.refuse(name)


@pytest.mark.parametrize(
    ("text", "name", "pattern"),
    [
        ("user.created", True, True),
        ("A-1_b", True, True),
        ("user.*", False, True),
        ("*.created", False, True),
        ("*.**", False, True),
        ("**", False, True),
        ("**.created", False, False),
        ("user.crea*", False, False),
        ("user..created", False, False),
        (".a", False, False),
        ("", False, False),
        ("a b", False, False),
        ("system.maintenance", False, True),
        ("plugin.started", False, True),
        ("plugins.started", True, True),
    ],
)
def test_stars_stand_in_patterns_alone(text: str, name: bool, pattern: bool):
    assert (EVENT_NAME.refuse(text) is None) is name
    assert (EVENT_PATTERN.refuse(text) is None) is pattern
