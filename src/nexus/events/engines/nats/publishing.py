"""Publishes batches: all of it without waiting, then one wait for all acknowledgments."""

import asyncio
import json
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from nexus.errors import EventTooLarge
from nexus.events.durable.rows import EventRow
from nexus.events.engines.nats.connection import Connection
from nexus.events.engines.nats.messages import payload_of

_ID: Final = "Nats-Msg-Id"
_HEADERS: Final = b"NATS/1.0\r\nNats-Msg-Id: %s\r\n\r\n"
_WIDEST: Final = 6
"""Bytes that a character takes at most."""
_BESIDE: Final = 8_192
"""Bytes that a message has at most beside data and key."""


class Batch:
    """Messages that wait for their acknowledgments.

    Args:
        size: How many.
        stream: Which stream is to have them.

    Attributes:
        positions: Where they are, as far as it is known.
        done: Finished when all are known, or one was refused.
    """

    def __init__(self, size: int, stream: str) -> None:
        self._stream = stream
        self.positions = [0] * size
        self.left = size
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledged(self, index: int, answer: dict[str, Any]) -> None:
        """Take note of an answer."""
        if self.done.done():
            return
        error = answer.get("error")
        if error is not None:
            self.done.set_exception(Refused(str(error.get("description", error))))
            return
        if answer.get("stream") != self._stream:  # ours is gone, and another has its subjects
            self.done.set_exception(Refused(f"the stream {answer.get('stream')!r} has taken it"))
            return
        self.positions[index] = answer["seq"]
        self.left -= 1
        if not self.left:
            self.done.set_result(None)


class Refused(Exception):
    """The server has not taken a message; the text says why."""


class Publishing:
    """Puts events into a stream.

    Args:
        connection: The server.
        stream: The name of the stream, which its subjects begin with.
    """

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream
        self._inbox = ""
        self._batches: dict[str, Batch] = {}
        self._number = count().__next__

    async def open(self) -> None:
        """Begin to listen for acknowledgments."""
        self._inbox = await self._connection.answers_to(self._answer)

    def check(self, row: EventRow) -> None:
        """Refuse an event that the server would not take, and close the connection for.

        Raises:
            EventTooLarge: It is larger than the server has said that it takes.
        """
        limit = self._connection.max_payload
        if not limit or _WIDEST * (len(row[2]) + len(row[7] or "")) + _BESIDE <= limit:
            return
        if len(payload_of(row)) + len(_HEADERS % row[0].encode()) > limit:
            raise EventTooLarge(event=row[1], limit=limit, setting="max_payload in NATS")

    async def publish(self, rows: Sequence[EventRow]) -> Sequence[int]:
        """Publish events and give their positions; those with a known id keep the one they have.

        Raises:
            EventTooLarge: The server would not take one of them; none was published.
            EventEngineUnavailable: The server did not take all of them; it may have some.
        """
        for row in rows:
            self.check(row)
        with self._connection.translated():
            client = await self._connection.ready()
            number, batch = str(self._number()), Batch(len(rows), self._stream)
            self._batches[number] = batch
            try:
                for index, row in enumerate(rows):
                    await client.publish(
                        f"{self._stream}.{row[1]}",
                        payload_of(row),
                        reply=f"{self._inbox}.{number}.{index}",
                        headers={_ID: row[0]},
                    )
                await self._connection.answered(batch.done)
            except Refused as error:
                raise self._connection.unavailable(str(error)) from None
            finally:
                del self._batches[number]
        return batch.positions

    async def _answer(self, message: Any) -> None:
        _, number, index = message.subject.rsplit(".", 2)
        batch = self._batches.get(number)
        if batch is None:
            return  # It was given up.
        if not message.data:  # nobody listens: the stream is not there
            batch.acknowledged(
                int(index), {"error": {"description": "the stream is not there, or has no leader"}}
            )
            return
        batch.acknowledged(int(index), json.loads(message.data))
