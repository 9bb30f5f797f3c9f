"""The JSON Schema (2020-12) of manifest.json, for editors."""

import re
from collections.abc import Collection
from typing import Any

from nexus.manifest.model import MANIFEST
from nexus.manifest.permissions import KNOWN_PERMISSIONS


def json_schema(*, known_permissions: Collection[str] = KNOWN_PERMISSIONS) -> dict[str, Any]:
    """Give the JSON Schema of a manifest, made from the model.

    It flags what the reader warns of as well: unknown keys, unknown permissions, repeated entries.

    Args:
        known_permissions: The permissions that an editor offers and accepts.
    """
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Nexus plugin manifest",
        "description": "The contract of a plugin: read and judged before its code is imported.",
        **MANIFEST.schema(),
    }
    names = sorted(known_permissions)
    scoped = "|".join(re.escape(name) for name in names)
    schema["properties"]["permissions"]["items"] = {
        "anyOf": [{"enum": names}, {"type": "string", "pattern": rf"^(?:{scoped}):\S+$"}]
    }
    setting = schema["properties"]["configuration"]["additionalProperties"]
    setting["allOf"] = [_typed(kind) for kind in setting["properties"]["type"]["enum"]]
    return schema


def _typed(kind: str) -> dict[str, Any]:
    """Give what a setting's type says of its other keys."""
    then: dict[str, Any] = {"default": {"type": kind}, "enum": {"items": {"type": kind}}}
    bound: Any = {"string": {"type": "integer", "minimum": 0}, "integer": {"type": "integer"}}
    bound["array"] = bound["string"]
    bound["number"] = {"type": "number"}
    then["min"] = then["max"] = bound.get(kind, False)
    if kind != "string":
        then["pattern"] = False
    return {
        "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
        "then": {"properties": then},
    }
