"""Notices what other processes do with the log.

Some engines tell: whoever appends tells the others the last position, and each process listens. A
look now and then stands beside it, for what is told while that connection is being made again. The
others cannot tell, and are asked: often while something happens, less often when nothing does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final, TypeAlias

from nexus.errors import NexusError
from nexus.events.durable.ending import end
from nexus.events.durable.journal import Journal

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
    """Has an eye on the end of the log.

    Args:
        journal: Where the events are.
        notice: Called where the log has got longer; with the version of the subscriptions, where
            it is known.
        seen: Gives the last position that this process has seen.
    """

    def __init__(self, journal: Journal, notice: Notice, seen: Callable[[], int]) -> None:
        self._journal = journal
        self._notice = notice
        self._seen = seen
        self._pause = _SHORTEST
        self._version: int | None = None
        self._heard = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    def jobs(self) -> Sequence[Job]:
        """Give what is to be done again and again: name, work, and the seconds in between."""
        if self._journal.tells:
            return (("look", self.look, _BESIDE), ("listen", self._listen, _AGAIN))
        return (("look", self.look, lambda: self._pause),)

    async def close(self) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            await end([self._looking])

    async def look(self) -> None:
        """Ask for the end."""
        position, version = await self._journal.look()
        if position > self._seen() or version != self._version:
            await self._notice(version)
            self._version = version
            self._pause = _SHORTEST
        else:
            self._pause = min(self._pause * 1.25, _LONGEST)

    async def _listen(self) -> None:
        await self._journal.listen(self._hear)

    def _hear(self, position: int) -> None:
        # Without a position: the subscriptions have changed.
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
