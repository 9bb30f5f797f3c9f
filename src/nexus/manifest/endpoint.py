"""One HTTP endpoint that a manifest describes."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from nexus.manifest.record import key
from nexus.manifest.shapes import Choice, Refusal, Text, prose

METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "WEBSOCKET",
)
"""The methods that an endpoint may have; `WEBSOCKET` is a WebSocket's."""


def _like_a_path(text: str) -> str | None:
    return f"/{text}" if re.fullmatch(r"[^\s/?#\\][^\s?#\\]*", text) else None


def _refuse_path(path: str) -> Refusal | None:
    segments = unquote(path).split("/")[1:]
    if any(segment in {".", ".."} for segment in segments) or "" in segments[:-1]:
        return Refusal(expected='a path that stays below the plugin, without "..", "." or "//"')
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEndpoint:
    """One HTTP endpoint of a plugin.

    Attributes:
        method: The method, in capitals.
        path: The path below the plugin's own, starting with a slash.
        description: What the endpoint does.
        auth: Who may use it: `"public"`, `"user"`, or `"permission:<name>"`.
    """

    method: str = field(
        metadata=key(
            Choice(words=METHODS, convert=str.upper, aliases={"ws": "WEBSOCKET"}),
            "Method",
            "The HTTP method, or WEBSOCKET.",
            "GET",
        )
    )
    path: str = field(
        metadata=key(
            Text(
                expected='a path that starts with "/" and has no white space, "?", "#" or "\\"',
                pattern=r"/[^\s\x00-\x1f\x7f?#\\]*",
                longest=1000,
                rule=_refuse_path,
                suggest=_like_a_path,
            ),
            "Path",
            "The path below the plugin's own.",
            "/status",
            "/items/{item_id}",
        )
    )
    description: str = field(
        default="",
        metadata=key(
            prose("a text"), "Description", "What the endpoint does.", "Get plugin status"
        ),
    )
    auth: str = field(
        default="public",
        metadata=key(
            Text(
                expected='"public", "user" or "permission:<name>"',
                pattern=r"public|user|permission:[^\s\x00-\x1f\x7f]+",
                longest=300,
            ),
            "Authentication",
            "Who may use the endpoint. Without it everybody may.",
            "user",
            "permission:reports.read",
        ),
    )
