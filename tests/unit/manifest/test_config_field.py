"""What a declared setting accepts, and how it says so."""

import json
from typing import Any

import pytest

from nexus.manifest import ConfigField, parse_manifest


def problems_of(**setting: Any) -> dict[str, str]:
    """Declare one setting; give the keys with errors, and what was expected there."""
    document = {"name": "shop", "version": "1", "configuration": {"it": setting}}
    result = parse_manifest(json.dumps(document).encode(), "shop")
    return {each.path.removeprefix("$.configuration.it."): each.expected for each in result.errors}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", ["", "a"], [1, None, ["a"]]),
        ("integer", [0, -1, 10**30], [True, 1.0, "1", None]),
        ("number", [0, 1.5, -1], [True, "1", float("nan"), float("inf")]),
        ("boolean", [True, False], [0, 1, "true", None]),
        ("array", [[], [1, "a"]], [(1,), {}, "a"]),
        ("object", [{}, {"a": 1}], [[], "a", None]),
    ],
)
def test_a_value_must_have_the_declared_type(kind: str, good: list[Any], bad: list[Any]):
    setting = ConfigField(type=kind)

    assert [setting.check(value) for value in good] == [None] * len(good)
    assert all(setting.check(value) for value in bad)


@pytest.mark.parametrize(
    ("setting", "good", "bad", "expected"),
    [
        (ConfigField(type="integer", min=1, max=10), 10, 11, "an integer from 1 to 10"),
        (ConfigField(type="number", min=0.5), 0.5, 0.4, "a number of at least 0.5"),
        (ConfigField(type="string", max=3), "abc", "abcd", "a string of at most 3 characters"),
        (ConfigField(type="array", min=1, max=2), [1], [], "an array of 1 to 2 entries"),
        (ConfigField(type="string", enum=("a", "b")), "a", "c", 'one of "a", "b"'),
        (ConfigField(type="number", enum=(1, 2)), 1.0, 1.5, "one of 1, 2"),
        (
            ConfigField(type="string", pattern="^sk-"),
            "sk-1",
            "pk-1",
            'a string that matches "^sk-"',
        ),
    ],
)
def test_a_value_is_held_against_bounds_enum_and_pattern(
    setting: ConfigField, good: Any, bad: Any, expected: str
):
    assert setting.check(good) is None
    assert setting.check(bad) == expected


def test_the_allowed_values_of_a_secret_are_not_told():
    setting = ConfigField(type="string", enum=("hunter2",), secret=True)

    assert "hunter2" not in (setting.check("x") or "")
    assert setting.check("hunter2") is None


def test_a_pattern_that_would_backtrack_for_ever_takes_linear_time():
    assert ConfigField(type="string", pattern="^(a+)+$").check("a" * 50_000 + "!")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " as it is ", " as it is "),
        ("integer", " -42 ", -42),
        ("number", "3", 3),
        ("number", "1e-3", 0.001),
        ("number", ".5", 0.5),
        ("boolean", "TRUE", True),
        ("boolean", "0", False),
        ("boolean", "off", False),
        ("array", '["a", 1]', ["a", 1]),
        ("object", '{"a": null}', {"a": None}),
    ],
)
def test_the_text_of_an_environment_variable_becomes_the_declared_type(
    kind: str, text: str, value: Any
):
    parsed = ConfigField(type=kind).parse_text(text)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "1.5", "an integer such as 42"),
        ("integer", "1_000", "an integer"),
        ("integer", "9" * 5000, "an integer"),
        ("integer", "٣", "an integer"),
        ("number", "nan", "a number such as 0.5"),
        ("number", "1e999", "a number"),
        ("boolean", "maybe", "true or false"),
        ("array", "a,b", "a JSON array such as"),
        ("array", "{}", "a JSON array"),
        ("object", '{"a": 1, "a": 2}', "a JSON object such as"),
        ("object", "[" * 10_000, "a JSON object"),
        ("object", '{"a": NaN}', "a JSON object"),
    ],
)
def test_a_text_of_another_form_is_refused_without_being_repeated(
    kind: str, text: str, expected: str
):
    with pytest.raises(ValueError, match=expected) as caught:
        ConfigField(type=kind).parse_text(text)

    assert text not in str(caught.value)


def test_a_setting_knows_whether_it_has_a_default():
    assert ConfigField(type="boolean", default=False).has_default
    assert not ConfigField(type="boolean").has_default


@pytest.mark.parametrize(
    ("spelling", "near"),
    [("float", "number"), ("bool", "boolean"), ("list", "array"), ("Integer", "integer")],
)
def test_another_spelling_of_a_type_is_refused_with_the_right_one(spelling: str, near: str):
    document = {"name": "a", "version": "1", "configuration": {"it": {"type": spelling}}}
    result = parse_manifest(json.dumps(document).encode(), "a")

    assert [problem.nearest for problem in result.errors] == [near]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"type": "integer", "min": "1"}, {"min": "an integer"}),
        ({"type": "integer", "min": 1.5}, {"min": "an integer"}),
        ({"type": "integer", "max": True}, {"max": "an integer"}),
        ({"type": "number", "min": 2, "max": 1}, {"min": 'at most "max", 1'}),
        ({"type": "string", "min": -1}, {"min": "a length, an integer of 0 or more"}),
        ({"type": "boolean", "min": 0}, {"min": 'no "min" in a setting of type boolean'}),
        ({"type": "object", "max": 3}, {"max": 'no "max" in a setting of type object'}),
        ({"type": "array", "pattern": "a"}, {"pattern": 'no "pattern" in a setting of type array'}),
        ({"type": "integer", "default": "3"}, {"default": "an integer"}),
        ({"type": "integer", "default": None}, {"default": "an integer"}),
        ({"type": "integer", "min": 1, "default": 0}, {"default": "an integer of at least 1"}),
        (
            {"type": "string", "pattern": "^b", "default": "a"},
            {"default": 'a string that matches "^b"'},
        ),
        ({"type": "string", "enum": ["a"], "default": "b"}, {"default": 'one of "a"'}),
        ({"type": "string", "enum": ["a", 1]}, {"enum[1]": "a string"}),
        ({"type": "integer", "max": 3, "enum": [4]}, {"enum[0]": "an integer of at most 3"}),
        ({"type": "string", "enum": []}, {"enum": "an array of at least one value"}),
        ({"type": "string", "required": "yes"}, {"required": "true or false"}),
        ({}, {"type": "one of string, integer, number, boolean, array, object"}),
        ({"type": "string", "required": True, "default": "a"}, {}),
        ({"type": "number", "min": 1, "max": 1, "default": 1}, {}),
    ],
)  # fmt: skip
def test_the_keys_of_a_setting_must_agree(setting: dict[str, Any], expected: dict[str, str]):
    assert problems_of(**setting) == expected


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "(?:a{1000}){1000}"])
def test_a_pattern_must_compile_in_the_linear_time_engine(pattern: str):
    problems = problems_of(type="string", pattern=pattern)

    assert problems["pattern"].startswith("a regular expression that compiles (")


def test_one_wrong_key_of_a_setting_hides_no_other():
    problems = problems_of(
        type="integer", min="1", max="9", default="3", required=1, secret=0, pattern="("
    )

    assert set(problems) == {"min", "max", "default", "required", "secret", "pattern"}
