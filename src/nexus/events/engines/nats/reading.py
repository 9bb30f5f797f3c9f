"""Reads a stream by the positions of its messages, many of them at once.

No consumer is asked: how many messages a server says it has for one may be wrong while others
publish (seen with 2.9), and then some are never delivered. Asked for by its position, a message is
there or it is not.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from nexus.events.engines.nats.connection import ANSWER, Connection
from nexus.events.engines.nats.messages import subject_of

logger = logging.getLogger(__name__)

_STATUS: Final = "Status"
_SUBJECT: Final = "Nats-Subject"
_WIDEST: Final = 500
_WINDOW: Final = 2_000_000
"""About how many bytes are on their way at a time, which a slow network brings in time as well."""
_PAGE: Final = 8_000_000
"""Bytes after which a page ends."""
_GUESS: Final = 32_768
_LEAST: Final = 256


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
        self._each = _GUESS
        self._has_told = False

    async def open(self) -> None:
        """Begin to listen for messages."""
        self._inbox = await self._connection.answers_to(self._answer)

    async def between(self, first: int, last: int) -> tuple[Sequence[Message], int]:
        """Give messages from one position to another, and the position to read on from.

        All were read when that is `last + 1`; a page of large ones ends before.

        Raises:
            EventEngineUnavailable: One is not there that has been neither removed nor deleted.
        """
        found: list[Message] = []
        size = 0
        while first <= last and size < _PAGE:
            end = min(last, first + max(1, min(_WIDEST, _WINDOW // self._each)) - 1)
            messages = await self._read(range(first, end + 1))
            new = sum(len(each.data) for each in messages)
            self._each = max(_LEAST, new // max(len(messages), 1))
            found += messages
            size += new
            first = end + 1
        return found, first

    async def _read(self, positions: range) -> Sequence[Message]:
        found = (await self._ask(positions)).found
        if len(found) < len(positions):
            missing = [each for each in positions if each not in found]
            for message in await self._find(missing):
                found[message.position] = message
        return [found[each] for each in sorted(found)]

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
            except TimeoutError:
                self._each = min(_WINDOW, self._each * 4)  # so that fewer are asked for next
                raise
            finally:
                del self._asked[number]
        return asked

    async def _answer(self, message: Any) -> None:
        _, number, position = message.subject.rsplit(".", 2)
        asked = self._asked.get(number)
        if asked is not None:
            asked.answered(int(position), message)

    async def _find(self, positions: Sequence[int]) -> Sequence[Message]:
        """Find out what became of messages that whoever was asked does not have.

        A replica may be behind its leader, which is asked for them then.

        Raises:
            EventEngineUnavailable: The leader does not have one either, and knows of no reason.
        """
        js = self._connection.js
        with self._connection.translated():
            request = json.dumps({"deleted_details": True}).encode()
            client = await self._connection.ready()
            answer = await self._connection.asked(
                client.request(f"$JS.API.STREAM.INFO.{self._stream}", request, timeout=ANSWER)
            )
            state = json.loads(answer.data).get("state", {})
            first, deleted = state.get("first_seq", 0), set(state.get("deleted") or ())
            late = [each for each in positions if each >= first and each not in deleted]
            if deleted.intersection(positions):
                self._tell(min(deleted.intersection(positions)))
            try:
                found = [
                    await self._connection.asked(js.get_msg(self._stream, each)) for each in late
                ]
            except self._connection.not_found:
                raise self._connection.unavailable(f"it has no message {late[-1]}") from None
        return [Message(each.seq, each.subject, each.data or b"") for each in found]

    def _tell(self, position: int) -> None:
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "Somebody has deleted messages from the stream; they are passed over",
                extra={"stream": self._stream, "position": position},
            )

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
