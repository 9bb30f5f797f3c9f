"""What a subscriber needs and a publisher does not guarantee; nothing that is uncertain."""

from typing import Any

import pytest

from nexus.cli.checks.schema_fit import mismatches


def of(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), **more}


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


@pytest.mark.parametrize(
    ("needed", "promised", "path", "promise", "need"),
    [
        (of({}, "a"), of({"a": TEXT}), "$.a", "not required", "required"),
        (of({}, "a"), of({}), "$.a", "not required", "required"),
        (of({}, "a"), of({}, additionalProperties=False), "$.a", "never there", "required"),
        (of({"a": TEXT}), of({"a": WHOLE}), "$.a", "integer", "string"),
        (of({"a": WHOLE}), of({"a": NUMBER}, "a"), "$.a", "number", "integer"),
        (of({"a": TEXT}), of({"a": {"type": ["string", "null"]}}), "$.a", "null or", "string"),
        (of({"a": TEXT}), of({"a": {"anyOf": [TEXT, {"type": "null"}]}}), "$.a", "null", "string"),
        (of({"a": TEXT}), of({"a": {"enum": ["x", 1]}}), "$.a", "integer or string", "string"),
        (of({"a": TEXT}), of({}, "a"), "$.a", "of any type", "string"),
        (of({"a": TEXT}), of({}, additionalProperties=WHOLE), "$.a", "integer", "string"),
        (
            of({"a": of({}, "b")}),
            of({"a": of({"b": TEXT})}, "a"),
            "$.a.b",
            "not required",
            "required",
        ),
        (
            of({"a": {"type": "array", "items": TEXT}}),
            of({"a": {"type": "array", "items": WHOLE}}),
            "$.a[*]",
            "integer",
            "string",
        ),
        (
            of({"a": TEXT}),
            of({"a": {"$ref": "#/$defs/a"}}, **{"$defs": {"a": WHOLE}}),
            "$.a",
            "integer",
            "string",
        ),
    ],
)
def test_what_is_not_guaranteed_is_told_with_its_place(
    needed: Any, promised: Any, path: str, promise: str, need: str
) -> None:
    [found] = mismatches(needed, promised)

    assert found.path == path
    assert promise in found.promised
    assert need in found.needed
    assert found.remedy


@pytest.mark.parametrize(
    ("needed", "promised"),
    [
        (of({"a": NUMBER}, "a"), of({"a": WHOLE, "b": {}}, "a", "b")),
        (of({"a": TEXT}, "a"), of({"a": {"enum": ["x"]}}, "a")),
        (of({"a": TEXT}), of({})),
        (of({"a": {"anyOf": [TEXT, {"type": "null"}]}}), of({"a": TEXT})),
        (of({}, "a"), {"allOf": [of({}, "a"), of({"a": WHOLE})]}),
        (of({}, "a"), {"$ref": "#/$defs/a", "$defs": {"a": of({}, "a")}}),
        (of({"a": {"minimum": 5}}), of({"a": WHOLE})),  # neither a type nor a requirement
        (of({}, "a"), of({}, "b", dependentRequired={"b": ["a"]})),
        (of({}, "a"), of({"a": {}}, minProperties=1, additionalProperties=False)),
        (of({"a": TEXT}), of({"a": {"not": {"type": "integer"}}})),
        (of({"a": TEXT}, "a"), of({"a": {}}, "a", patternProperties={"^a$": TEXT})),
        (of({"a": of({}, "b")}), of({"a": {"anyOf": [of({}, "b"), of({}, "b", "c")]}})),
        (of({"a": {"items": TEXT}}), of({"a": {"type": "array", "maxItems": 0}})),
        (of({"a": True, "b": {}}), of({"a": WHOLE, "b": WHOLE})),
        (of({"a": TEXT}), of({"a": {"type": ["string", "integer"], "minimum": 5, "maximum": 1}})),
        # The rest does not fit by its bounds, which are not compared, so nothing is proven.
        (of({"b": {"minimum": 5}}, "a"), of({"b": WHOLE}, allOf=[of({}, "a")])),
        (
            of({"b": {"minimum": 5}, "a": {"type": "array", "items": TEXT}}),
            of({"b": WHOLE, "a": {"type": "array", "anyOf": [{"items": TEXT}, {"maxItems": 0}]}}),
        ),
    ],
)
def test_what_fits_or_may_fit_is_left_alone(needed: Any, promised: Any) -> None:
    assert mismatches(needed, promised) == []


def test_schemas_that_nothing_fits_are_told_though_no_place_is_known() -> None:
    small, large = of({"a": {"maximum": 1}}, "a"), of({"a": {"type": "integer", "minimum": 2}}, "a")

    [found] = mismatches(small, large)
    assert found.path == "$"
