"""From errors to problem documents: the application's exception handlers."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState

from nexus.errors import NexusError
from nexus.web.problems import problem_response

STATUS_OF_CODE: Mapping[str, int] = {
    "plugin-not-found": 404,
    "plugin-not-running": 503,
    "permission-denied": 403,
    "no-identity-provider": 503,
    "sign-in-needed": 401,
    "credentials-refused": 401,
    "cross-site-refused": 403,
    "user-may-not": 403,
    "permission-not-asked": 422,
    "service-not-found": 503,
    "service-conflict": 409,
    "service-ambiguous": 409,
    "database-unavailable": 503,
    "database-closed": 503,
    "config-value-refused": 422,
    "config-key-fixed": 409,
    "plugin-has-no-settings": 404,
    "event-not-declared": 422,
    "event-name-invalid": 422,
    "event-pattern-invalid": 422,
    "event-contract-violated": 422,
    "event-data-invalid": 422,
    "event-too-large": 413,
    "bus-not-running": 503,
    "no-responder": 503,
    "request-timeout": 504,
    "event-engine-unavailable": 503,
    "event-log-full": 503,
    "event-not-found": 404,
    "subscription-unknown": 404,
    "dead-letter-not-found": 404,
    "replay-refused": 409,
    "job-unknown": 404,
    "job-running": 409,
    "invalid-key": 422,
    "not-json": 422,
    "value-too-large": 413,
    "invalid-document": 422,
    "invalid-document-id": 422,
    "document-too-large": 413,
    "indexed-value-too-long": 422,
    "invalid-filter": 422,
    "invalid-query": 422,
    "invalid-change": 422,
    "duplicate-key": 409,
    "version-conflict": 409,
    "ambiguous-upsert": 409,
    "transaction-collided": 503,
    "reload-failed": 409,
    "workers-differ": 503,
    "hook-failed": 500,
    "backup-refused": 409,
    "plugin-data-in-use": 409,
    "purge-failed": 409,
    "not-exportable": 409,
}
"""The HTTP status of the errors that a caller can do something about; all others are ours: 500."""

_RETRY_AFTER_SECONDS = "5"
_NO_BODY = frozenset({204, 205, 304})


async def http_exception_problem(request: Request, error: Exception) -> Response:
    """Tell an HTTPException as a problem; a detail that is no text goes under `errors`."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code in _NO_BODY or error.status_code < 200:  # noqa: PLR2004 # no body allowed
        return Response(status_code=error.status_code, headers=error.headers)
    detail: Any = error.detail
    extra = {} if detail is None or isinstance(detail, str) else {"errors": detail}
    return problem_response(
        error.status_code,
        detail=detail if isinstance(detail, str) else None,
        instance=request.scope["path"],
        headers=error.headers,
        **extra,
    )


async def validation_problem(request: Request, error: Exception) -> Response:
    """Tell which parts of a request were refused, without repeating what they contained."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [
        {"loc": list(item["loc"]), "msg": item["msg"], "type": item["type"]}
        for item in error.errors()
    ]
    places = ", ".join(dict.fromkeys(".".join(map(str, item["loc"])) for item in errors))
    return problem_response(
        422,
        detail=f"The request was refused because of: {places}.",
        code="validation-error",
        instance=request.scope["path"],
        errors=errors,
    )


async def nexus_error_problem(connection: HTTPConnection, error: Exception) -> Response | None:
    """Tell one of the platform's errors with the status that belongs to it.

    An error without a status of its own is passed on: it is a defect, which the front logs and
    answers without its particulars.
    """
    status = STATUS_OF_CODE.get(error.code) if isinstance(error, NexusError) else None
    if not isinstance(error, NexusError) or status is None:
        raise error
    if isinstance(connection, WebSocket) and not _may_be_denied(connection):
        await connection.close(code=1011, reason=error.code)
        return None
    return problem_response(
        status,
        detail=error.render(),
        code=error.code,
        instance=connection.scope["path"],
        headers=_headers(status, error),
        **_place(error),
    )


def _place(error: NexusError) -> dict[str, str]:
    """Say which setting an error is about, for a form that shows it there."""
    if error.code in {"config-value-refused", "config-key-fixed"}:
        return {"field": error.data["key"], "expected": error.data.get("expected", "")}
    return {}


def _headers(status: int, error: NexusError) -> dict[str, str] | None:
    if status == 503:  # noqa: PLR2004
        return {"Retry-After": _RETRY_AFTER_SECONDS}
    if status == 401:  # noqa: PLR2004
        invalid = error.code == "credentials-refused"
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if invalid else "Bearer"}
    return None


def _may_be_denied(websocket: WebSocket) -> bool:
    return (
        websocket.application_state is WebSocketState.CONNECTING
        and "websocket.http.response" in websocket.scope.get("extensions", {})
    )


EXCEPTION_HANDLERS: Mapping[Any, Any] = {
    HTTPException: http_exception_problem,
    RequestValidationError: validation_problem,
    NexusError: nexus_error_problem,
}
"""The handlers that every application starts with; its builder may replace any of them."""
