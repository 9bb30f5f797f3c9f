"""The outermost layer: what every request gets, in one pass."""

import logging
from time import perf_counter
from typing import Any

from starlette._utils import is_async_callable
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from nexus.observability import request_id as ids
from nexus.plugins.plugin_trace import plugin_part
from nexus.web.errors import http_exception_problem
from nexus.web.exchange import EXCHANGE_KEY, HttpExchange, WebSocketExchange
from nexus.web.hosts import HostRefused, HostRule
from nexus.web.http_metrics import PLATFORM, HttpMetrics
from nexus.web.problems import problem_response
from nexus.web.request_body import limited
from nexus.web.response_start import UnsendableResponse
from nexus.web.rules import HttpRules
from nexus.web.security_headers import SecurityHeaders

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("nexus.access")

_CLIENT_GONE = 499
_INTERNAL_ERROR = 1011
_REFUSED = 1008
_TLS = frozenset({"https", "wss"})


class FusedMiddleware:
    """Request ids, security headers, hosts, limits, counts, access log and the last resort.

    One layer instead of six: each layer of its own would cost every request two more coroutines
    and a scan of the headers. It takes the place of FastAPI's ServerErrorMiddleware.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: HttpMetrics,
        rules: HttpRules,
        access_log: bool = False,
        error_handler: ExceptionHandler | None = None,
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._limit, self._body_seconds = rules.body_limit, rules.body_timeout
        self._limits_bodies = (self._limit, self._body_seconds) != (None, None)
        self._hosts = HostRule(rules.allowed_hosts) if rules.allowed_hosts else None
        policy = rules.content_security_policy
        self._headers = SecurityHeaders(policy)
        self._tls_headers = SecurityHeaders(policy, rules.transport_security)
        self._access_log = access_log
        self._error_handler = error_handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; an exception ends here."""
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        began = perf_counter()
        request_id, has_body, length = _read_headers(scope)
        exchange = HttpExchange(send, request_id, self._headers_for(scope))
        scope[EXCHANGE_KEY] = exchange
        scope.setdefault("state", {})["request_id"] = request_id
        metrics = self._metrics
        metrics.in_flight += 1
        token = ids.current_request_id.set(request_id)
        try:
            if self._hosts is not None:
                self._hosts.check(scope["path"], scope["headers"])
            if has_body and self._limits_bodies:
                receive = limited(receive, length, self._limit, self._body_seconds)
            await self.app(scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001 # the border of plugin code
            await self._answer_error(scope, receive, exchange, error)
        finally:
            ids.current_request_id.reset(token)
            metrics.in_flight -= 1
            seconds = (exchange.ended or perf_counter()) - began
            series = exchange.series or metrics.platform
            status = exchange.status or _CLIENT_GONE
            series.observe(exchange.route, scope["method"], status, seconds)
            if self._access_log:
                _log_access(scope, exchange, seconds)

    def _headers_for(self, scope: Scope) -> SecurityHeaders:
        return self._tls_headers if scope.get("scheme") in _TLS else self._headers

    async def _answer_error(
        self, scope: Scope, receive: Receive, exchange: HttpExchange, error: Exception
    ) -> None:
        """Log what nobody handled, and answer with its id instead of its particulars."""
        if isinstance(error, HTTPException) and not exchange.started:
            response = await http_exception_problem(Request(scope, receive), error)
            try:
                await response(scope, receive, exchange.send)
            except UnsendableResponse as unsendable:
                error = unsendable
            else:
                return
        _log_error(scope, exchange, error)
        if exchange.started:
            # Half a response cannot be mended. To return without its end makes the server drop
            # the connection, so that the client does not take the half for the whole.
            return
        response = await self._error_response(Request(scope, receive), error)
        await response(scope, receive, exchange.send)

    async def _error_response(self, request: Request, error: Exception) -> Response:
        handler: Any = self._error_handler
        if handler is None:
            return problem_response(
                500,
                detail="The request failed inside the application; the log has the particulars"
                " under this request's id.",
                code="internal-error",
                instance=request.scope["path"],
            )
        response: Response = (
            await handler(request, error)
            if is_async_callable(handler)
            else await run_in_threadpool(handler, request, error)
        )
        return response

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        request_id, _, _ = _read_headers(scope)
        exchange = WebSocketExchange(send, request_id, self._headers_for(scope))
        scope[EXCHANGE_KEY] = exchange
        scope.setdefault("state", {})["request_id"] = request_id
        token = ids.current_request_id.set(request_id)
        try:
            if self._hosts is not None:
                self._hosts.check(scope["path"], scope["headers"])
            await self.app(scope, receive, exchange.send)
        except HostRefused as refused:
            await exchange.send(
                {"type": "websocket.close", "code": _REFUSED, "reason": refused.detail}
            )
        except WebSocketDisconnect:
            # The other side went away, and the handler had nothing to say to that.
            return
        except Exception as error:  # noqa: BLE001 # the border of plugin code
            _log_error(scope, exchange, error)
            if not exchange.ended:
                await exchange.send({"type": "websocket.close", "code": _INTERNAL_ERROR})
        finally:
            ids.current_request_id.reset(token)


def _read_headers(scope: Scope) -> tuple[str, bool, bytes]:
    """Give the request's id, whether it may have a body, and the length that it announces."""
    request_id: str | None = None
    length = b""
    has_body = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
            has_body = True
        elif name == b"transfer-encoding":
            has_body = True
        elif name == b"x-request-id":
            request_id = ids.accept_request_id(value)
    # Before HTTP/2 a body is always announced.
    has_body = has_body or not scope.get("http_version", "1.1").startswith("1")
    return request_id or ids.new_request_id(), has_body, length


def _log_error(
    scope: Scope, exchange: HttpExchange | WebSocketExchange, error: BaseException
) -> None:
    if "fastapi.telemetry" in scope:
        from fastapi.telemetry._asgi import _exception as record_exception

        record_exception(scope=scope, exc=error)
    logger.error(
        "a request failed",
        exc_info=plugin_part(error),
        extra={
            "plugin": exchange.plugin or PLATFORM,
            "request_id": exchange.request_id,
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["path"],
            "response_started": exchange.started,
        },
    )


def _log_access(scope: Scope, exchange: HttpExchange, seconds: float) -> None:
    client = scope.get("client")
    access_logger.info(
        "request",
        extra={
            "method": scope["method"],
            "path": scope["path"],
            "status": exchange.status or _CLIENT_GONE,
            "milliseconds": round(seconds * 1000, 3),
            "client": client[0] if client else "",
            "plugin": exchange.plugin or PLATFORM,
            "request_id": exchange.request_id,
        },
    )
