"""The limits of a request's body: how large it may be, and how slow."""

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

SLOWEST: Final = 1024
"""Bytes that buy a body another second."""


class ContentTooLarge(HTTPException):
    """The request's body is over the limit; FastAPI passes it on as it stands.

    The connection stays open, and the server throws the rest of the body away: closing it now
    would reset it, and many clients would not see the answer.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body is larger than {limit} bytes.")


class BodyTooSlow(HTTPException):
    """The request's body does not arrive; the connection, which would wait for it, is closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            408,
            f"The body did not arrive: it has {seconds:g} seconds, and one more for each"
            f" {SLOWEST} bytes of it.",
            headers={"Connection": "close"},
        )


def limited(
    receive: Receive, content_length: bytes, limit: int | None, seconds: float | None
) -> Receive:
    """Have `receive` refuse a body that is too large or too slow.

    Args:
        receive: Gives the request's messages.
        content_length: The size that the request announces, empty where it announces none.
        limit: How many bytes the body may have, None for any.
        seconds: How long the application may have to wait for the body altogether, and one second
            more for each `SLOWEST` bytes; None for ever. Time in which nobody waits for it does not
            count.

    Raises:
        ContentTooLarge: The body is announced to be larger.
    """
    if limit is not None and content_length.isdigit() and int(content_length) > limit:
        raise ContentTooLarge(limit)
    return _Body(receive, limit, seconds).receive


class _Body:
    """A body on its way in."""

    __slots__ = ("_complete", "_limit", "_receive", "_seconds", "_taken", "_waited")

    def __init__(self, receive: Receive, limit: int | None, seconds: float | None) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._taken = 0
        self._waited = 0.0
        self._complete = False

    async def receive(self) -> Message:
        """Give the next message, in time and within the limit.

        Raises:
            ContentTooLarge: More has arrived than may.
            BodyTooSlow: It does not arrive.
        """
        if self._complete or self._seconds is None:
            message = await self._receive()
        else:
            message = await self._in_time(self._seconds)
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            self._taken += len(message.get("body", b""))
            if self._limit is not None and self._taken > self._limit:
                raise ContentTooLarge(self._limit)
        return message

    async def _in_time(self, seconds: float) -> Message:
        loop = asyncio.get_running_loop()
        began = loop.time()
        left = seconds + self._taken / SLOWEST - self._waited
        try:
            async with asyncio.timeout(left):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow(seconds) from None
        self._waited += loop.time() - began
        return message
