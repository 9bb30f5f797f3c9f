"""The journal in a NATS JetStream stream.

What has been handled is not told to NATS but to the application's database, as with every engine:
JetStream takes an acknowledgment from whoever sends it, also from a worker that has lost its lease.
So one reader for each process takes what is new to all subscriptions, by the sequence of the
stream, and leases and acknowledgments are those of `nexus.events.durable`.

What was acknowledged survives a killed server. It survives a power failure as well where the
server's `jetstream` block says `sync_interval: always` (from 2.10 on; otherwise files are synced
every two minutes). A stream that is edited from one replica to three loses acknowledged messages
with 2.9 when its leader is killed, whatever the client; so it is made with as many as it is to
have.
Source: https://docs.nats.io/running-a-nats-service/configuration/resource_management.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from nexus.config.event_engine import EventEngine
from nexus.data.database import Database, Executor
from nexus.data.transaction import Transaction
from nexus.errors import EventEngineUnavailable
from nexus.events.durable.journal import Placed
from nexus.events.durable.rows import EventRow
from nexus.events.engines.nats.connection import Connection
from nexus.events.engines.nats.landmarks import NatsLandmarks
from nexus.events.engines.nats.publishing import Publishing
from nexus.events.engines.nats.reading import Reading
from nexus.events.engines.nats.searching import Searching
from nexus.events.engines.nats.stream import Stream

logger = logging.getLogger(__name__)


class NatsJournal:
    """`Journal` in a JetStream stream.

    Args:
        engine: Where the servers are.
        database: The application's database.
        stream: The name of the stream, for applications that share a server.
        replicas: How many servers of a cluster are to have it, where it is made.

    Raises:
        EventEngineDriverMissing: The library is not installed.
    """

    engine: Final = "nats"
    appending_in: Final = None
    tells: Final = True

    def __init__(
        self, engine: EventEngine, database: Database, *, stream: str, replicas: int = 1
    ) -> None:
        self.location = engine.location
        self.risk = ""
        self._channel = f"_nexus.{stream}.tell"
        self._database = database
        connection = self._connection = Connection(engine)
        self._stream = Stream(connection, stream, replicas)
        self._publishing = Publishing(connection, stream)
        self._reading = Reading(connection, stream)
        self.landmarks = NatsLandmarks(connection, self._stream)
        self.check = self._publishing.check
        searching = Searching(connection, self._stream, self._reading)
        self.page = searching.page
        self.read = searching.read
        self.find = searching.find
        self.related = searching.related
        self.count = searching.count
        self.backlog = searching.backlog
        self.position_at = searching.position_at
        self.overflow = searching.overflow

    @property
    def identity(self) -> str:
        """What tells the stream from one that was made anew."""
        return self._stream.identity

    async def open(self, owner: str, *, take_over: bool = False) -> None:
        """Connect, and make the stream or take it if it is ours.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
            EventJournalTaken: It is another application's.
        """
        connection = self._connection
        await connection.open()
        try:
            await self._stream.open(owner, take_over=take_over)
            await self._publishing.open()
            await self._reading.open()
            self.risk = connection.risk()
            if self.risk:
                logger.warning(self.risk, extra={"location": self.location})
        except BaseException:
            await connection.close()
            raise

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def probe(self) -> str:
        """Connect, say what may be lost that was acknowledged, and let the server go.

        Raises:
            EventEngineUnavailable: It does not answer, or refuses.
        """
        await self._connection.open()
        try:
            with self._connection.translated():
                await self._connection.asked(self._connection.js.account_info())
            return self._connection.risk()
        finally:
            await self._connection.close()

    # Writing

    async def append(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in; where this fails, some of them may be there."""
        await self.landmarks.trusted()
        positions = await self._publishing.publish(rows)
        await self._say(positions[-1])
        return positions[0] - 1, positions

    def append_at_once(self, rows: Sequence[EventRow]) -> Placed | None:
        """Do nothing: a server is asked over the network."""

    async def append_again(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in unless they are there: the server knows their ids for a while."""
        return await self.append(rows)

    async def remove(self, up_to: int) -> int:
        """Remove all up to a position."""
        before = await self._stream.state()
        if before.first_seq > up_to or not before.messages:
            return 0
        with self._connection.translated():
            await self._connection.js.purge_stream(self._stream.name, seq=up_to + 1)
        return int(before.messages - (await self._stream.state()).messages)

    # Reading

    async def end(self, executor: Executor | None = None) -> int:  # noqa: ARG002 - it is elsewhere
        """Give the last position."""
        return int((await self._stream.state()).last_seq)

    async def look(self) -> tuple[int, int]:
        """Give the last position, and the version of the subscriptions."""
        row = await self._database.fetch_one("SELECT version FROM nexus_event_head")
        return await self.end(), int(row[0])

    async def measure(self) -> tuple[int, int]:
        """Give how many bytes it takes, and how many events it has."""
        state = await self._stream.state()
        return int(state.bytes), int(state.messages)

    # Others

    async def listen(self, heard: Callable[[int], None]) -> None:
        """Listen until it is cancelled; the connection is made again by itself."""

        async def hear(message: Any) -> None:
            heard(int(message.data))

        async with self._connection.subscribed(self._channel, hear):
            heard(0)  # what was told while nobody listened
            await asyncio.Event().wait()

    async def tell(self, transaction: Transaction) -> None:
        """Tell others that the subscriptions have changed, once a transaction has committed."""
        transaction.after_commit(partial(self._say, 0))

    async def _say(self, position: int) -> None:
        """Tell others a position; what is stored is stored, whether they hear of it or not."""
        try:
            with self._connection.translated():
                await self._connection.client.publish(self._channel, b"%d" % position)
        except EventEngineUnavailable as error:  # they look now and then
            logger.debug("Nobody could be told", extra={"reason": str(error)})
