"""Notices what other processes do with the log.

PostgreSQL tells: whoever appends notifies a channel with the last position, and a connection of
its own listens. A look now and then stands beside it, for what is told while that connection is
being made again. The other databases cannot tell, and are asked: often while something happens,
less often when nothing does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, Final, TypeAlias

from nexus.data.database import Database
from nexus.data.engines.server.database import ServerDatabase
from nexus.errors import NexusError
from nexus.events.engines.sql.channel import CHANNEL

logger = logging.getLogger(__name__)

_BESIDE: Final = 1.0
_SHORTEST: Final = 0.02
_LONGEST: Final = 0.1
_AGAIN: Final = 1.0
_OWN: Final = 0.002
"""Seconds in which what this process has appended itself arrives by memory."""

Job: TypeAlias = tuple[str, Callable[[], Awaitable[None]], float | Callable[[], float]]
Notice: TypeAlias = Callable[..., Awaitable[None]]


class Watch:
    """Has an eye on the head of the log.

    Args:
        database: Where the log is.
        notice: Called where the log has got longer; with the version of the subscriptions, where
            it is known.
        seen: Gives the last position that this process has seen.
    """

    def __init__(self, database: Database, notice: Notice, seen: Callable[[], int]) -> None:
        self._database = database
        self._notice = notice
        self._seen = seen
        self._pause = _SHORTEST
        self._version: int | None = None
        self._heard = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    def jobs(self) -> Sequence[Job]:
        """Give what is to be done again and again: name, work, and the seconds in between."""
        if isinstance(self._database, ServerDatabase) and self._database.engine == "postgresql":
            return (("look", self.look, _BESIDE), ("listen", self._listen, _AGAIN))
        return (("look", self.look, lambda: self._pause),)

    async def close(self) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def look(self) -> None:
        """Ask for the head."""
        row = await self._database.fetch_one("SELECT position, version FROM nexus_event_head")
        position, version = int(row[0]), int(row[1])
        if position > self._seen() or version != self._version:
            await self._notice(version)
            self._version = version
            self._pause = _SHORTEST
        else:
            self._pause = min(self._pause * 1.25, _LONGEST)

    async def _listen(self) -> None:
        """Listen until the connection is lost."""
        database: Any = self._database
        connection = await database.connect()
        lost = asyncio.Event()
        try:
            raw = connection.raw
            raw.add_termination_listener(lambda _: lost.set())
            await raw.add_listener(CHANNEL, self._hear)
            await self.look()  # what was told while nobody listened
            await lost.wait()
            logger.info("The connection that listens for events is made again")
        except database.troubles as error:
            logger.info(
                "The connection that listens for events is made again",
                extra={"reason": str(error)},
            )
        finally:
            connection.terminate()

    def _hear(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        position = int(payload) if payload.isdigit() else 0
        # Nothing in it: the subscriptions have changed.
        self._heard = max(self._heard, position) if position else 2**63
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_OWN, self._heard_enough)

    def _heard_enough(self) -> None:
        self._timer = None
        heard, self._heard = self._heard, 0
        if heard > self._seen():
            self._looking = asyncio.get_running_loop().create_task(
                self._look_at_once(), name="nexus.events.heard", context=Context()
            )

    async def _look_at_once(self) -> None:
        try:
            await self.look()
        except NexusError as error:  # the next look is not far away
            logger.debug("The event log cannot be read", extra={"reason": str(error)})
