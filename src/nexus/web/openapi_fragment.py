"""One plugin's part of the OpenAPI document."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.openapi.utils import (
    get_openapi,
    validation_error_definition,
    validation_error_response_definition,
)
from starlette.routing import BaseRoute

from nexus.plugins.importer import ROOT
from nexus.security.fastapi import SCHEMES as SHARED_SCHEMES

PROBLEM_SCHEMA_NAME = "nexus.Problem"

_SCHEMAS = "#/components/schemas/"
# FastAPI's own shapes of a refused request, in whose place ours answers.
_REPLACED = {
    "HTTPValidationError": validation_error_response_definition,
    "ValidationError": validation_error_definition,
}
_REFUSED = {
    "description": "The request was refused",
    "content": {"application/problem+json": {"schema": {"$ref": _SCHEMAS + PROBLEM_SCHEMA_NAME}}},
}
_GENERATION = re.compile(rb"%b__[a-z0-9_]+?_[0-9]+__" % ROOT.encode())
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What one plugin adds to the document, as the inner text of JSON objects.

    Attributes:
        paths: The members of `paths`.
        components: The members of each section of `components`, by the section's name.
        webhooks: The members of `webhooks`.
        digest: Changes with the content.
        shared_schemes: The security schemes of all plugins that it uses.
        error: Why there is nothing in it, None when all is well.
    """

    paths: bytes = b""
    components: dict[str, bytes]
    webhooks: bytes = b""
    digest: bytes
    shared_schemes: frozenset[str] = frozenset()
    error: str | None = None


def failed_fragment(error: str) -> Fragment:
    """Make the fragment of a plugin whose routes cannot be described."""
    return Fragment(components={}, digest=digest_of(error.encode()), error=error)


def make_fragment(
    routes: Sequence[BaseRoute],
    *,
    plugin: str | None,
    prefix: str = "",
    webhooks: Sequence[BaseRoute] = (),
    separate_input_output_schemas: bool = True,
    needs_user: Callable[[str, str], bool] | None = None,
) -> Fragment:
    """Describe routes.

    Args:
        routes: The routes, as FastAPI takes them.
        plugin: Whose they are; its name is put before the names of schemas, security schemes and
            operations, so that two plugins' things never mix. None for the application's own.
        prefix: What comes before every path.
        webhooks: The application's webhooks.
        separate_input_output_schemas: As FastAPI's setting of this name.
        needs_user: Tells whether the manifest asks for a user, by method and path.

    Raises:
        Exception: Whatever FastAPI or the plugin's own models raise.
    """
    document = get_openapi(
        title="fragment",
        version="0",
        routes=routes,
        webhooks=webhooks,
        separate_input_output_schemas=separate_input_output_schemas,
    )
    components: dict[str, dict[str, Any]] = document.get("components", {})
    schemas = components.get("schemas", {})
    for name, definition in _REPLACED.items():
        if schemas.get(name) == definition:
            del schemas[name]
    described = {**document["paths"], **document.get("webhooks", {})}
    for path, item in described.items():
        for method, operation in item.items():
            if method in _METHODS:
                if needs_user is not None and needs_user(method.upper(), path):
                    operation.setdefault("security", [{name: []} for name in SHARED_SCHEMES])
                _finish_operation(operation, plugin)
    text = json.dumps(document["paths"])
    shared = frozenset(name for name in SHARED_SCHEMES if f'"{name}"' in text)
    _drop_shared(components)
    if plugin is not None:
        _namespace_references(document, plugin)
        components = {
            section: {f"{plugin}.{name}": value for name, value in members.items()}
            for section, members in components.items()
        }
    paths = {f"{prefix}{path}": item for path, item in document["paths"].items()}
    parts = {
        section: _without_generation(_members(members))
        for section, members in components.items()
        if members
    }
    hooks = _members(document.get("webhooks", {}))
    inner = _without_generation(_members(paths))
    return Fragment(
        paths=inner,
        components=parts,
        webhooks=hooks,
        shared_schemes=shared,
        digest=digest_of(
            inner,
            hooks,
            *(part for pair in sorted(parts.items()) for part in (pair[0].encode(), pair[1])),
        ),
    )


def _without_generation(text: bytes) -> bytes:
    """Take the generation's package out of the names that FastAPI gives to models of one name.

    They begin with the module; the document must not change with every reload.
    """
    return _GENERATION.sub(b"", text) if ROOT.encode() in text else text


def _finish_operation(operation: dict[str, Any], plugin: str | None) -> None:
    responses = operation.get("responses", {})
    refused = responses.get("422", {}).get("content", {}).get("application/json", {})
    if refused.get("schema", {}).get("$ref") == f"{_SCHEMAS}HTTPValidationError":
        responses["422"] = _REFUSED
    if plugin is None:
        return
    operation["operationId"] = f"{plugin}_{operation['operationId']}"
    operation["tags"] = operation.get("tags") or [plugin]
    if "security" in operation:
        operation["security"] = [
            {_scheme_name(plugin, scheme): scopes for scheme, scopes in choice.items()}
            for choice in operation["security"]
        ]


def _scheme_name(plugin: str, scheme: str) -> str:
    return scheme if scheme in SHARED_SCHEMES else f"{plugin}.{scheme}"


def _drop_shared(components: dict[str, dict[str, Any]]) -> None:
    """Leave out what the document says once for all plugins."""
    for name in SHARED_SCHEMES:
        components.get("securitySchemes", {}).pop(name, None)


def _namespace_references(value: Any, plugin: str) -> None:
    """Put the plugin's name before the schemas that `$ref`s and discriminators point to."""
    if isinstance(value, list):
        for item in value:
            _namespace_references(item, plugin)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" or (isinstance(item, str) and item.startswith(_SCHEMAS)):
                value[key] = _namespaced(item, plugin)
            else:
                _namespace_references(item, plugin)


def _namespaced(reference: str, plugin: str) -> str:
    name = reference.removeprefix(_SCHEMAS)
    if name in {reference, PROBLEM_SCHEMA_NAME}:
        return reference
    return f"{_SCHEMAS}{plugin}.{name}"


def _members(members: dict[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]


def digest_of(*parts: bytes) -> bytes:
    """Give what changes with any of the parts."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
