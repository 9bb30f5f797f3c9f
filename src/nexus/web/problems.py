"""Problem documents: how every error is told over HTTP (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from nexus.observability.request_id import current_request_id

PROBLEM_MEDIA_TYPE = "application/problem+json"


def problem_type(code: str | None) -> str:
    """Give the URI that identifies a kind of problem."""
    return f"urn:nexus:{code}" if code else "about:blank"


def status_title(status: int) -> str:
    """Give the standard phrase of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class ProblemResponse(Response):
    """A response whose body is a problem document."""

    media_type = PROBLEM_MEDIA_TYPE


def problem_response(
    status: int,
    title: str | None = None,
    detail: str | None = None,
    code: str | None = None,
    *,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> Response:
    """Make a problem response.

    Args:
        status: The HTTP status.
        title: A short summary of the kind of problem; the standard phrase when left out.
        detail: What happened this time, for a human.
        code: The platform's stable error code, also part of `type`.
        instance: The path that was asked for.
        headers: More response headers.
        extra: More members of the document, JSON-ready.
    """
    body: dict[str, Any] = {
        "type": problem_type(code),
        "title": title or status_title(status),
        "status": status,
    }
    optional = {
        "detail": detail,
        "code": code,
        "instance": instance,
        "request_id": current_request_id.get(),
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    body.update(extra)
    # Header values of a plugin's HTTPException may be numbers (Retry-After=5).
    sent = {name: str(value) for name, value in headers.items()} if headers else None
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str)
    return ProblemResponse(text.encode("utf-8", "backslashreplace"), status, sent)


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document as in RFC 9457.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 100, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "description": "The platform's stable error code."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "The fields that were refused.",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {
                        "type": "array",
                        "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                    },
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        },
    },
}
"""The JSON Schema of a problem document, for OpenAPI."""
