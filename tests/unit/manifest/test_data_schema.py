"""What schemas say of data, and of one another."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from nexus.events.payload import freeze
from nexus.manifest.data_schema import DataSchema, covers, excludes, with_references_resolved

LIMIT = 10


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def test_frozen_data_is_judged_as_plain_data_is() -> None:
    schema = DataSchema(closed({"tags": {"type": "array", "items": {"type": "string"}}}, "tags"))

    for data in ({"tags": ["a"]}, OrderedDict(tags=["a"])):
        assert schema.fits(data)
        assert schema.fits(freeze(data))
    assert not schema.fits(freeze({"tags": ["a", 1]}))


@pytest.mark.parametrize(
    ("schema", "data", "path", "found", "expected"),
    [
        (closed({}, "id"), {}, "$.id", "nothing", "which the schema requires"),
        (closed({"a": {"type": "integer"}}), {"a": "1"}, "$.a", '"1" (string)', "an integer"),
        (
            closed({"a": {"type": ["string", "null"]}}),
            {"a": 1},
            "$.a",
            "1 (integer)",
            "null or a string",
        ),
        (closed({"a": {"minimum": 5}}), {"a": 1}, "$.a", "1 (integer)", "at least 5"),
        (closed({"a": {"enum": ["x", "y"]}}), {"a": "z"}, "$.a", '"z"', 'one of "x", "y"'),
        (closed({"a": {"const": 1}}), {"a": 2}, "$.a", "2", "1"),
        (closed({"a": {"pattern": "^x"}}), {"a": "y"}, "$.a", '"y"', 'matches "^x"'),
        (
            closed({"a": {"type": "string", "format": "date-time"}}),
            {"a": "noon"},
            "$.a",
            '"noon"',
            '"date-time"',
        ),
        (
            closed({"a": {"items": {"type": "string"}}}),
            {"a": ["x", 2]},
            "$.a[1]",
            "2 (integer)",
            "a string",
        ),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"b": 1},
            "$.b",
            "this key",
            "no key beside",
        ),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            "$",
            "{}",
            "one of the schemas in anyOf",
        ),
        ({"not": {"required": ["a"]}}, {"a": 1}, "$", "{", '"not" in the schema'),
    ],
)
def test_a_problem_says_where_what_is_there_and_what_is_expected(
    schema: Any, data: Any, path: str, found: str, expected: str
) -> None:
    [problem] = DataSchema(schema).problems(freeze(data), LIMIT)

    assert problem.path == path
    assert found in problem.found
    assert expected in problem.expected


def test_no_more_problems_are_told_than_are_asked_for() -> None:
    schema = DataSchema({"additionalProperties": {"type": "string"}})

    assert len(schema.problems({str(each): each for each in range(20)}, 3)) == 3


def test_no_pattern_makes_data_hang() -> None:
    schema = DataSchema({"properties": {"a": {"pattern": "^(a+)+$"}}})

    assert not schema.fits({"a": "a" * 100_000 + "!"})


def test_what_is_not_json_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Unsupported type"):
        DataSchema(closed({"a": {"type": "string"}})).fits({"a": object()})


def test_no_file_is_read_for_a_reference(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')

    with pytest.raises(ValueError, match="is not part of the schema"):
        DataSchema({"$ref": file.as_uri()})


def test_a_reference_is_followed_inside_the_schema() -> None:
    named = {"$ref": "#/$defs/item", "$defs": {"item": closed({"a": {"type": "string"}}, "a")}}

    assert not DataSchema(named).fits({"a": 1})
    assert with_references_resolved(named)["required"] == ["a"]


def test_a_schema_covers_what_is_proven_to_fit_it() -> None:
    wide = closed({"a": {"type": "number"}}, "a")

    assert covers(wide, closed({"a": {"type": "integer"}, "b": {}}, "a", "b"))
    assert covers(wide, {"allOf": [closed({"a": {"type": "integer"}}), closed({}, "a")]})
    assert not covers(wide, closed({"a": {"type": "integer"}}))
    assert not covers(wide, closed({"a": {"type": "string"}}, "a"))


def test_schemas_exclude_each_other_when_nothing_can_fit_both() -> None:
    text, number = closed({"a": {"type": "string"}}, "a"), closed({"a": {"type": "number"}}, "a")

    assert excludes(text, number)
    assert not excludes(text | {"required": []}, number | {"required": []})
    assert not excludes(text, text)
