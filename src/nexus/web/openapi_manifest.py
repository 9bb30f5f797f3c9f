"""A plugin's part of the OpenAPI document as far as its manifest tells."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from nexus.manifest.endpoint import ApiEndpoint
from nexus.security.fastapi import SCHEMES
from nexus.web.openapi_fragment import Fragment, digest_of

_PARAMETER: Final = re.compile(r"\{([^{}:]+)(?::[^{}]*)?\}")
_PUBLIC: Final = "public"
_WEBSOCKET: Final = "WEBSOCKET"


def declared_fragment(plugin: str, prefix: str, endpoints: Sequence[ApiEndpoint]) -> Fragment:
    """Describe the endpoints that a manifest declares.

    Args:
        plugin: The plugin's name.
        prefix: The path below which its routes will appear.
        endpoints: What its manifest declares. OpenAPI has no WebSockets, so they are left out.
    """
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        if each.method != _WEBSOCKET:
            path = _PARAMETER.sub(r"{\1}", each.path)
            paths.setdefault(prefix + path, {})[each.method.lower()] = _operation(plugin, each)
    text = json.dumps(paths).encode()[1:-1]
    guarded = any(each.auth != _PUBLIC for each in endpoints)
    return Fragment(
        paths=text,
        components={},
        digest=digest_of(text),
        shared_schemes=frozenset(SCHEMES) if guarded else frozenset(),
    )


def _operation(plugin: str, endpoint: ApiEndpoint) -> dict[str, Any]:
    word = re.sub(r"\W+", "_", f"{endpoint.path}_{endpoint.method.lower()}").strip("_")
    operation: dict[str, Any] = {
        "tags": [plugin],
        "operationId": f"{plugin}_{word}",
        "responses": {"default": {"description": "What the plugin answers"}},
    }
    if endpoint.description:
        operation["summary"] = endpoint.description
    names = dict.fromkeys(_PARAMETER.findall(endpoint.path))
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if endpoint.auth != _PUBLIC:
        operation["security"] = [{name: []} for name in SCHEMES]
    return operation
