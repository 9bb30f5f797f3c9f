"""JSON Schemas of events' data: judged, compiled and compared.

jsonschema-rs does it, in Rust: checking the data of an event takes less than a microsecond. It is
imported when the first schema is met. Patterns run in linear time, so that no data can make one
hang, and references lead to places in the schema itself: nothing is fetched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NoReturn

from nexus.manifest.problems import JsonPath, Problem, describe, json_text, render_path
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema, ValidationError, Validator

_REFERENCES: Final = 'references within the schema, such as "#/$defs/item"'
_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_NOUNS: Final = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_WORDS: Final = {
    "const": "{}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys",
    "pattern": "a text that matches {}",
    "format": "a text of the format {}",
    "uniqueItems": "each entry once",
    "anyOf": "what one of the schemas in anyOf takes",
    "oneOf": "what exactly one of the schemas in oneOf takes",
}
"""What data should be, by the keyword that refuses it."""


class DataSchema:
    """The JSON Schema of an event's data, compiled.

    Args:
        schema: The schema; 2020-12 unless its `$schema` says otherwise.

    Attributes:
        fits: Says whether data fits. It takes what JSON has, read-only event data included, and
            raises ValueError where it comes upon anything else.

    Raises:
        ValueError: It is no JSON Schema.
    """

    __slots__ = ("_validator", "fits")

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = _compiled(schema)
        self.fits: Callable[[Any], bool] = self._validator.is_valid

    def problems(self, data: Any, limit: int) -> tuple[Problem, ...]:
        """Say where data does not fit, what is there, and what is expected; so many at most."""
        return tuple(map(_problem, islice(self._validator.iter_errors(data), limit)))


def covers(wider: Mapping[str, Any], narrower: Mapping[str, Any]) -> bool:
    """Say whether it is proven that whatever fits the one schema fits the other.

    Args:
        wider: What should take it all.
        narrower: What says how the data may be.
    """
    from jsonschema_rs import canonical

    try:
        proof = _canonical(wider).covers(_canonical(narrower))
    except ValueError:  # it does not understand one of them
        return False
    return proof == canonical.Containment.YES


def excludes(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether it is proven that nothing fits both schemas."""
    from jsonschema_rs import canonical

    try:
        both = _canonical(one).intersect(_canonical(other))
    except ValueError:  # as above
        return False
    return both.satisfiability() == canonical.Satisfiability.NO


def with_references_resolved(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Give a schema with what its references lead to in their place, where that ends."""
    from jsonschema_rs import dereference

    try:
        resolved = dereference(dict(schema), retriever=_refuse_to_fetch)
    except ValueError:  # ReferencingError: it has an anchor that is not understood, say
        return dict(schema)
    return resolved


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class JsonSchema:
    """The shape of a JSON Schema for an event's data, which is an object."""

    expected: str = 'a JSON Schema for an object, such as {"type": "object", "required": ["id"]}'

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the schema, or report what is wrong and give `INVALID`."""
        if not isinstance(value, dict):
            report.mismatch(path, value, self.expected)
            return INVALID
        try:
            _compiled(value)
        except ValueError as error:
            _report(error, path, report)
            return INVALID
        kind = value.get("type", "object")
        if kind != "object" and "object" not in kind:
            expected = '"object", since the data of an event is one'
            report.mismatch((*path, "type"), kind, expected)
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the schema."""
        return {"type": "object"}


def _compiled(schema: Mapping[str, Any]) -> "Validator":
    from jsonschema_rs import RegexOptions, validator_for

    return validator_for(
        dict(schema),
        validate_formats=True,
        retriever=_refuse_to_fetch,
        pattern_options=RegexOptions(),
    )


def _canonical(schema: Mapping[str, Any]) -> "CanonicalSchema":
    from jsonschema_rs import RegexOptions, canonicalize

    return canonicalize(
        dict(schema),
        validate_formats=True,
        retriever=_refuse_to_fetch,
        pattern_options=RegexOptions(),
    )


def _refuse_to_fetch(address: str) -> NoReturn:
    message = f"{address} is not part of the schema"
    raise ValueError(message)


def _report(error: ValueError, path: JsonPath, report: Report) -> None:
    """Report why something is no JSON Schema."""
    from jsonschema_rs import ValidationError, ValidationErrorKind

    if not isinstance(error, ValidationError):
        report.add(path, found=f"what is no JSON Schema ({error})", expected="a JSON Schema")
    elif isinstance(error.kind, ValidationErrorKind.Referencing):
        found = f"a reference that leads nowhere ({error.message})"
        report.add(path, found=found, expected=_REFERENCES)
    else:
        place = tuple(error.instance_path)
        expected = _problem(error).expected
        if place and place[-1] == "type":
            expected = f"one of {', '.join(_TYPES)}"
        elif error.kind.name == "format":
            expected = "a regular expression that runs in linear time, without look-around"
        report.mismatch((*path, *place), error.instance, expected)


def _problem(error: "ValidationError") -> Problem:
    keyword, value = error.kind.name, error.kind.value
    place: JsonPath = tuple(error.instance_path)
    found = describe(error.instance)
    if keyword == "required":
        place, found, expected = (*place, value), "nothing", "a value, which the schema requires"
    elif keyword in {"additionalProperties", "unevaluatedProperties"}:
        place, found = (*place, value[0]), "this key"
        expected = "no key beside those that the schema has"
    elif keyword == "type":
        expected = " or ".join(_NOUNS.get(each, each) for each in value)
    elif keyword == "enum":
        expected = f"one of {', '.join(map(json_text, value))}"
    elif keyword in _WORDS:
        words = _WORDS[keyword]
        expected = words.format(json_text(value)) if "{}" in words else words
    else:
        expected = f'what "{keyword}" in the schema asks for'
    return Problem(path=render_path(place), found=found, expected=expected)
