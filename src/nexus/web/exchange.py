"""What the front and the layers below it know of one request or WebSocket."""

from collections.abc import Awaitable
from time import perf_counter
from typing import Any

from starlette.types import Message, Send

from nexus.web.http_metrics import HttpSeries
from nexus.web.response_start import check_start
from nexus.web.security_headers import SecurityHeaders

EXCHANGE_KEY = "nexus.exchange"
"""Where the exchange stands in the ASGI scope; a scope that a middleware copied shares it."""

_SWITCHING = 101


class HttpExchange:
    """One HTTP request on its way through the platform.

    Attributes:
        request_id: The request's id.
        plugin: The name of the plugin that serves it, None for the platform.
        series: Where it is counted, None for the platform's series.
        route: The template of the route that serves it, empty as long as there is none.
        status: The response's status, 0 until it starts.
        ended: When the last byte was handed over, on the clock of `perf_counter`; 0 until then.
    """

    __slots__ = ("_headers", "_send", "ended", "plugin", "request_id", "route", "series", "status")

    def __init__(self, send: Send, request_id: str, headers: SecurityHeaders) -> None:
        self._send = send
        self._headers = headers
        self.request_id = request_id
        self.plugin: str | None = None
        self.series: HttpSeries | None = None
        self.route = ""
        self.status = 0
        self.ended = 0.0

    @property
    def started(self) -> bool:
        """Whether the response has started, so that no other one can be given."""
        return self.status != 0

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on to the server, with the platform's headers on a response's start.

        Raises:
            UnsendableResponse: The status or a header is none; the response has not started.

        A plain function that gives the server's own awaitable: one coroutine a message less.
        """
        kind = message["type"]
        if kind == "http.response.start":
            status, headers = message["status"], message.get("headers", ())
            check_start(status, headers)
            self.status = status
            headers = self._headers.added_to(headers, self.request_id)
            message = {**message, "headers": headers}
        elif kind != "http.response.body" or not message.get("more_body", False):
            self.ended = perf_counter()
        return self._send(message)


class WebSocketExchange:
    """One WebSocket on its way through the platform.

    Attributes:
        request_id: The id of the request that opened it.
        plugin: The name of the plugin that serves it, None for the platform.
        series: Unused: a connection has no duration worth a histogram.
        route: As with a request.
        started: Whether it was accepted, or refused with a response.
        ended: Whether it was closed or refused.
    """

    __slots__ = ("_headers", "_send", "ended", "plugin", "request_id", "route", "series", "started")

    def __init__(self, send: Send, request_id: str, headers: SecurityHeaders) -> None:
        self._send = send
        self._headers = headers
        self.request_id = request_id
        self.plugin: str | None = None
        self.series: HttpSeries | None = None
        self.route = ""
        self.started = False
        self.ended = False

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on to the server, and remember what it means for the connection."""
        kind = message["type"]
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            headers: Any = message.get("headers", ())
            check_start(message.get("status", _SWITCHING), headers)
            self.started = True
            self.ended = kind != "websocket.accept"
            if kind == "websocket.accept":
                headers = [*headers, (b"x-request-id", self.request_id.encode())]
            else:
                headers = self._headers.added_to(headers, self.request_id)
            message = {**message, "headers": headers}
        elif kind == "websocket.close":
            self.ended = True
        return self._send(message)


Exchange = HttpExchange | WebSocketExchange
