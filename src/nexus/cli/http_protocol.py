"""The server's side of an HTTP connection, with limits that uvicorn does not have."""

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLimits:
    """How large and how slow a request's head may be.

    Attributes:
        size: How many bytes the request line and the headers may take together.
        seconds: How long the headers may take to arrive, and a new connection to send any.
    """

    size: int = 64 * 1024
    seconds: float = 30.0


def bounded_by(size: int, seconds: float) -> Any:
    """Give what makes the server's side of each connection, for uvicorn's `http`.

    Args:
        size: How many bytes a request's head may have.
        seconds: How long it may take.
    """
    return partial(BoundedHttpProtocol, limits=HeadLimits(size=size, seconds=seconds))


def _refusal(status: int, detail: str) -> bytes:
    # No application has seen the request, so there is no layer below that could answer.
    phrase = HTTPStatus(status).phrase
    body = json.dumps(
        {"type": "about:blank", "title": phrase, "status": status, "detail": detail},
        separators=(",", ":"),
    )
    head = (
        f"HTTP/1.1 {status} {phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "connection: close",
    )
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode("ascii")


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses headers that are too large or too slow, and closes a connection without any.

    Headers are read before anybody is authenticated, and the parser keeps those that are not
    complete, so its input is counted: every byte since the last headers or the last piece of a
    body. That bounds chunk extensions and trailers too.
    """

    def __init__(self, *args: Any, limits: HeadLimits | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits or HeadLimits()
        self._unparsed = 0
        self._awaits_head = True
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self._limits.seconds, self._look)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    @override
    def handle_websocket_upgrade(self) -> None:
        self._forget_timer()
        super().handle_websocket_upgrade()

    @override
    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed and self._awaits_head and self._since is None:
            self._since = self.loop.time()
        if self._unparsed > self._limits.size and not self.transport.is_closing():
            self._refuse()

    @override
    def on_headers_complete(self) -> None:
        # A large piece of input may be a body for the most part: then the headers are counted.
        if self._unparsed > self._limits.size and self._head_size() > self._limits.size:
            self._refuse()
            # The parser passes this on as an error of its own, and reads no further.
            raise ValueError("the headers are too large")
        self._unparsed = 0
        self._awaits_head = False
        self._since = None
        super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._unparsed = 0
        self._awaits_head = True
        super().on_message_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            self._end_with(400, "The request is not HTTP.")

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self) -> None:
        self.logger.warning("Request headers larger than %d bytes refused.", self._limits.size)
        self._end_with(
            431, f"The headers of the request are larger than {self._limits.size} bytes."
        )

    def _end_with(self, status: int, detail: str) -> None:
        # In the middle of an answer another one would only garble it.
        cycle: Any = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            self.transport.write(_refusal(status, detail))
        self.transport.close()

    # One timer for the life of a connection: arming one for each request would cost it more.

    def _look(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        wait = self._limits.seconds
        if self._since is not None:
            wait += self._since - self.loop.time()
            if wait <= 0:
                self._give_up()
                return
        self._timer = self.loop.call_later(wait, self._look)

    def _give_up(self) -> None:
        if self._unparsed:
            seconds = self._limits.seconds
            self._end_with(408, f"The headers of the request took longer than {seconds:g} seconds.")
        else:
            self.transport.close()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
