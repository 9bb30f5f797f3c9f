"""The server's side of an HTTP connection, with limits that uvicorn does not have."""

import asyncio
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 * 1024
"""How many bytes the request line and the headers may take together."""

HEAD_SECONDS = 30.0
"""How long a request's headers may take to arrive, and a new connection to send any."""

_TEXT = b"The headers of the request are larger than %d bytes." % HEAD_LIMIT
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
) % (len(_TEXT), _TEXT)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses headers that are too large, and closes a connection on which none arrive.

    Headers are read before anybody is authenticated, and the parser keeps those that are not
    complete, so its input is counted: every byte since the last headers or the last piece of a
    body. That bounds chunk extensions and trailers too.
    """

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unparsed = 0
        self._awaits_head = True
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self.head_seconds, self._look)

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
        if self._unparsed > HEAD_LIMIT and not self.transport.is_closing():
            self._refuse()

    @override
    def on_headers_complete(self) -> None:
        # A large piece of input may be a body for the most part: then the headers are counted.
        if self._unparsed > HEAD_LIMIT and self._head_size() > HEAD_LIMIT:
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
            super().send_400_response(msg)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self) -> None:
        self.logger.warning("Request headers larger than %d bytes refused.", HEAD_LIMIT)
        # In the middle of an answer another one would only garble it.
        cycle: Any = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            self.transport.write(_REFUSAL)
        self.transport.close()

    # One timer for the life of a connection: arming one for each request would cost it more.

    def _look(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        wait = self.head_seconds
        if self._since is not None:
            wait += self._since - self.loop.time()
            if wait <= 0:
                self.transport.close()
                return
        self._timer = self.loop.call_later(wait, self._look)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
