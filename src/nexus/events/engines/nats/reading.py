"""Reads a stream by the positions of its messages, many of them at once.

No consumer is asked: how many messages a server says it has for one may be wrong while others
publish (seen with 2.9), and then some are never delivered. Asked for by its position, a message is
there or it is not.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from nexus.events.engines.nats.connection import Connection
from nexus.events.engines.nats.messages import subject_of

_STATUS: Final = "Status"
_SUBJECT: Final = "Nats-Subject"


class Message(NamedTuple):
    """One message of the stream."""

    position: int
    subject: str
    data: bytes


class Asked:
    """Messages that were asked for.

    Args:
        size: How many.

    Attributes:
        found: Those that there are, by their positions.
        done: Finished when all have been answered.
    """

    def __init__(self, size: int) -> None:
        self.found: dict[int, Message] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = size

    def answered(self, position: int, message: Any) -> None:
        """Take note of an answer."""
        headers = message.headers or {}
        if _STATUS not in headers:
            self.found[position] = Message(position, headers[_SUBJECT], message.data)
        self._left -= 1
        if not self._left and not self.done.done():
            self.done.set_result(None)


class Reading:
    """Gives the messages of a stream by their positions.

    Args:
        connection: The server.
        stream: The name of the stream.
    """

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream
        self._inbox = ""
        self._asked: dict[str, Asked] = {}
        self._number = count().__next__

    async def open(self) -> None:
        """Begin to listen for messages."""
        with self._connection.translated():
            self._inbox = self._connection.client.new_inbox()
            await self._connection.client.subscribe(f"{self._inbox}.*.*", cb=self._answer)

    async def between(self, first: int, last: int) -> Sequence[Message]:
        """Give the messages from one position to another, both included.

        Raises:
            EventEngineUnavailable: One is not there that has not been removed as old.
        """
        asked = await self._ask(range(first, last + 1))
        missing = [each for each in range(first, last + 1) if each not in asked.found]
        if missing and await self._oldest() <= missing[-1]:
            # A replica may be behind its leader, which the next attempt will not be.
            raise self._connection.unavailable(f"it has no message {missing[-1]}")
        return [asked.found[each] for each in sorted(asked.found)]

    async def _ask(self, positions: range) -> Asked:
        with self._connection.translated():
            client = await self._connection.ready()
            number, asked = str(self._number()), Asked(len(positions))
            self._asked[number] = asked
            try:
                for position in positions:
                    await client.publish(
                        f"$JS.API.DIRECT.GET.{self._stream}",
                        b'{"seq":%d}' % position,
                        reply=f"{self._inbox}.{number}.{position}",
                    )
                await self._connection.answered(asked.done)
            finally:
                del self._asked[number]
        return asked

    async def _answer(self, message: Any) -> None:
        _, number, position = message.subject.rsplit(".", 2)
        asked = self._asked.get(number)
        if asked is not None:
            asked.answered(int(position), message)

    async def pending(self, pattern: str, first: int) -> int:
        """Tell about how many messages there are from a position on that a pattern selects."""
        api, js = self._connection.api, self._connection.js
        config = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=max(first, 1),
            ack_policy=api.AckPolicy.NONE,
            filter_subject=subject_of(self._stream, pattern),
            mem_storage=True,
            num_replicas=1,
        )
        with self._connection.translated():
            told = await self._connection.asked(js.add_consumer(self._stream, config))
            await self._connection.client.publish(
                f"$JS.API.CONSUMER.DELETE.{self._stream}.{told.name}"
            )
        return told.num_pending or 0

    async def _oldest(self) -> int:
        with self._connection.translated():
            info = await self._connection.asked(self._connection.js.stream_info(self._stream))
        return int(info.state.first_seq)
