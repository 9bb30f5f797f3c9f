"""The journal in a Redis stream.

What has been handled is not told to Redis but to the application's database, as with every engine.
A consumer group for each subscription would have each of them read every event, since a group
cannot choose by name; and Redis takes an acknowledgment from whoever sends it, also from a worker
that has lost its lease. So one reader for each process takes what is new to all subscriptions, and
leases, their reclaim and acknowledgments are those of `nexus.events.durable`.

What was acknowledged survives a killed server and a power failure where that has
`appendonly yes` and `appendfsync always` (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/).
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from nexus.config.event_engine import EventEngine
from nexus.data.database import Database, Executor
from nexus.data.transaction import Transaction
from nexus.errors import EventEngineUnavailable
from nexus.events.durable.journal import Placed
from nexus.events.durable.rows import OVERHEAD, EventRow
from nexus.events.engines.redis.connection import Connection
from nexus.events.engines.redis.entries import arguments
from nexus.events.engines.redis.landmarks import RedisLandmarks
from nexus.events.engines.redis.scripts import APPEND
from nexus.events.engines.redis.searching import Searching

logger = logging.getLogger(__name__)

_CHUNK: Final = 5_000
_LOOKED_THROUGH: Final = 10_000


class RedisJournal:
    """`Journal` in a Redis stream.

    Args:
        engine: Where the server is.
        database: The application's database.
        stream: What the keys begin with, for applications that share a server.

    Raises:
        EventEngineDriverMissing: The library is not installed.
    """

    engine: Final = "redis"
    appending_in: Final = None
    check: Final = None
    tells: Final = True

    def __init__(self, engine: EventEngine, database: Database, *, stream: str) -> None:
        self.location = engine.location
        self.risk = ""
        # The braces keep the keys together in a cluster.
        self._stream, self._about = f"{{{stream}}}:events", f"{{{stream}}}:about"
        self._channel = f"{{{stream}}}:tell"
        self._database = database
        self._connection = Connection(engine)
        self._append: Any = None
        self.landmarks = RedisLandmarks(self._connection, stream, (self._stream, self._about))
        searching = self._searching = Searching(self._connection, self._stream, self._about)
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
        return self.landmarks.identity

    async def open(self, owner: str, *, take_over: bool = False) -> None:
        """Connect, and take the stream if it is nobody's.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
            EventJournalTaken: It is another application's.
        """
        connection = self._connection
        connection.open()
        await self.landmarks.open(owner, take_over=take_over)
        with connection.translated():
            self._append = connection().register_script(APPEND)
            self.risk = await connection.risk()
        if self.risk:
            logger.warning(self.risk, extra={"location": self.location})

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def probe(self) -> str:
        """Connect, say what may be lost that was acknowledged, and let the server go.

        Raises:
            EventEngineUnavailable: It does not answer, or refuses.
        """
        connection = self._connection
        connection.open()
        try:
            with connection.translated():
                await connection().ping()
                return await connection.risk()
        finally:
            await connection.close()

    # Writing

    async def append(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in, all or none."""
        values = [self._channel, OVERHEAD]
        for row in rows:
            values += arguments(row)
        with self._connection.translated():
            before, first = await self._append(keys=(self._stream, self._about), args=values)
        return int(before), range(int(first), int(first) + len(rows))

    def append_at_once(self, rows: Sequence[EventRow]) -> Placed | None:
        """Do nothing: a server is asked over the network."""

    async def append_again(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in unless they are among the newest; they are there whole or not."""
        ids = [row[0] for row in rows]
        found = await self._searching.places_of(ids, _LOOKED_THROUGH)
        if len(found) < len(rows):
            return await self.append(rows)
        first = found[ids[0]]
        return first - 1, range(first, first + len(rows))

    async def remove(self, up_to: int) -> int:
        """Remove all up to a position, a little at a time: others wait meanwhile."""
        removed = 0
        with self._connection.translated():
            client = self._connection()
            while count := await client.xtrim(
                self._stream, minid=f"{up_to + 1}-0", approximate=True, limit=_CHUNK
            ):
                removed += count
            removed += await client.xtrim(self._stream, minid=f"{up_to + 1}-0", approximate=False)
        return int(removed)

    # Reading

    async def end(self, executor: Executor | None = None) -> int:  # noqa: ARG002 - it is elsewhere
        """Give the last position."""
        return await self._searching.told("last")

    async def look(self) -> tuple[int, int]:
        """Give the last position, and the version of the subscriptions."""
        row = await self._database.fetch_one("SELECT version FROM nexus_event_head")
        return await self.end(), int(row[0])

    async def measure(self) -> tuple[int, int]:
        """Give how many bytes it takes, about, and how many events it has."""
        with self._connection.translated():
            events = int(await self._connection().xlen(self._stream))
        size, first = await self._searching.told("bytes"), await self._searching.first(0)
        return (0, events) if first is None else (size - first.before, events)

    # Others

    async def listen(self, heard: Callable[[int], None]) -> None:
        """Listen on a connection of its own until that is lost."""
        try:
            with self._connection.translated():
                async with self._connection().pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._channel)
                    heard(0)  # what was told while nobody listened
                    while True:
                        message = await channel.get_message(timeout=None)
                        if message is not None:
                            heard(int(message["data"]))
        except EventEngineUnavailable as error:
            logger.info(
                "The connection that listens for events is made again",
                extra={"reason": str(error)},
            )

    async def tell(self, transaction: Transaction) -> None:
        """Tell others that the subscriptions have changed, once a transaction has committed."""
        transaction.after_commit(self._tell)

    async def _tell(self) -> None:
        try:
            with self._connection.translated():
                await self._connection().publish(self._channel, 0)
        except EventEngineUnavailable as error:  # they look now and then
            logger.debug("Nobody could be told", extra={"reason": str(error)})
