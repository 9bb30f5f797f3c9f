"""Finds what a subscriber's schema requires and a publisher's does not guarantee.

Only what is certain is told: required properties and types, where the publisher's schema states
them plainly, and nothing that is proven to fit. So silence is no promise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.manifest.data_schema import covers, excludes, with_references_resolved
from nexus.manifest.problems import JsonPath, render_path, type_name

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_OPAQUE: Final = frozenset(
    {
        *("$ref", "$dynamicRef", "$recursiveRef", "allOf", "oneOf", "not", "if"),
        *("dependentRequired", "dependentSchemas", "dependencies", "minProperties"),
        *("maxProperties", "propertyNames", "unevaluatedProperties"),
    }
)
"""Keywords of a publisher's schema that may forbid what the others allow."""
_ANY_ENTRY: Final = -1
"""Stands in a path for each entry of an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Something that a subscriber needs and a publisher does not guarantee.

    Attributes:
        path: Where it is in the data.
        promised: What the publisher's schema says of it.
        needed: What the subscriber's schema says of it.
        remedy: What the publisher could do.
    """

    path: str
    promised: str
    needed: str
    remedy: str


def mismatches(needed: Mapping[str, Any], promised: Mapping[str, Any]) -> list[Mismatch]:
    """Hold what a handler needs against what a publisher promises.

    Args:
        needed: The subscriber's schema.
        promised: The publisher's.
    """
    if covers(needed, promised):
        return []
    found = list(_object(with_references_resolved(needed), with_references_resolved(promised), ()))
    if not found and excludes(needed, promised):
        nothing = Mismatch(
            path="$",
            promised="what this schema never takes",
            needed="something that fits both",
            remedy="make the two agree",
        )
        return [nothing]
    return found


def _value(needed: Any, promised: Any, path: JsonPath) -> Iterator[Mismatch]:
    if needed is True or needed == {} or promised is False:
        return
    promised = {} if promised is True else promised
    if needed is False or _OPAQUE & promised.keys():
        return
    takes, gives = _at_most(needed), _at_least(promised)
    if not gives <= takes:
        yield Mismatch(
            path=_text(path),
            promised=_words(gives),
            needed=_words(takes),
            remedy=f'say "type": {_json(takes)} of it in the publisher\'s schema',
        )
        return
    if "anyOf" in promised:
        return
    if "object" in gives:
        yield from _object(needed, promised, path)
    if "array" in gives and isinstance(needed.get("items"), dict | bool):
        yield from _entries(needed["items"], promised, path)


def _object(
    needed: Mapping[str, Any], promised: Mapping[str, Any], path: JsonPath
) -> Iterator[Mismatch]:
    if (_OPAQUE | {"anyOf"}) & promised.keys() or "$ref" in needed:
        return
    required = promised.get("required", ())
    for name in needed.get("required", ()):
        if name not in required:
            is_there = _promise_of(name, promised) is not False
            yield Mismatch(
                path=_text((*path, name)),
                promised="not required" if is_there else "never there",
                needed="required",
                remedy=f'add "{name}" to "required" in the publisher\'s schema',
            )
    for name, below in needed.get("properties", {}).items():
        promise = _promise_of(name, promised)
        if promise is None and name in required and "patternProperties" not in promised:
            promise = {}
        if promise is not None:
            yield from _value(below, promise, (*path, name))


def _promise_of(name: str, promised: Mapping[str, Any]) -> Any:
    """Give the schema of a property; False where it cannot be, None where nothing is said."""
    properties = promised.get("properties", {})
    if name in properties:
        return None if "patternProperties" in promised else properties[name]
    if "patternProperties" in promised:
        return None
    others = promised.get("additionalProperties")
    return None if others is True else others


def _entries(needed: Any, promised: Mapping[str, Any], path: JsonPath) -> Iterator[Mismatch]:
    is_plain = isinstance(promised.get("items", {}), dict | bool) and "prefixItems" not in promised
    if is_plain and promised.get("maxItems") != 0:
        yield from _value(needed, promised.get("items", {}), (*path, _ANY_ENTRY))


def _at_most(schema: Mapping[str, Any]) -> frozenset[str]:
    """Give the types that a schema takes, and perhaps more."""
    types = _stated(schema)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            types &= frozenset().union(*(_branch(each) for each in schema[keyword]))
    for each in schema.get("allOf", ()):
        types &= _branch(each)
    return types


def _branch(schema: Any) -> frozenset[str]:
    if isinstance(schema, bool):
        return _TYPES if schema else frozenset()
    return _at_most(schema)


def _at_least(schema: Mapping[str, Any]) -> frozenset[str]:
    """Give the types that a schema takes, and perhaps fewer."""
    types = _stated(schema)
    if "anyOf" in schema:
        plain = [each for each in schema["anyOf"] if isinstance(each, dict)]
        plain = [each for each in plain if not _OPAQUE & each.keys()]
        types &= frozenset().union(*(_at_least(each) for each in plain))
    return types


def _stated(schema: Mapping[str, Any]) -> frozenset[str]:
    """Give the types by `type`, `enum` and `const`; an integer is a number as well."""
    kinds = schema.get("type", _TYPES)
    types = frozenset({kinds} if isinstance(kinds, str) else kinds)
    if "number" in types:
        types |= {"integer"}
    if "const" in schema:
        types &= _types_of([schema["const"]])
    if "enum" in schema:
        types &= _types_of(schema["enum"])
    return types


def _types_of(values: list[Any]) -> frozenset[str]:
    return frozenset(
        "integer" if isinstance(each, float) and each.is_integer() else type_name(each)
        for each in values
    )


def _text(path: JsonPath) -> str:
    return render_path(path).replace(f"[{_ANY_ENTRY}]", "[*]")


def _words(types: frozenset[str]) -> str:
    if types == _TYPES:
        return "of any type"
    return " or ".join(_shown(types)) or "nothing"


def _json(types: frozenset[str]) -> str:
    shown = [f'"{each}"' for each in _shown(types)]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _shown(types: frozenset[str]) -> list[str]:
    return sorted(types - {"integer"} if "number" in types else types)
