"""What this process has seen of the log, and who is told of what comes."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Final

from nexus.errors import NexusError
from nexus.events.durable.ending import end
from nexus.events.durable.journal import Journal, Placed
from nexus.events.durable.landmarks import Landmark
from nexus.events.event import Event

logger = logging.getLogger(__name__)

_PAUSE: Final = 0.5
_PATIENCE: Final = 0.02
"""Seconds that a gap may be there until it is read: its events are mostly on their way."""


class Tail:
    """The end of the log, as far as it is known here without a gap.

    Events that this process appends arrive by memory. Those of others are read.

    Args:
        journal: Where the events are.
        dispatch: Takes events that follow on those before, with their positions.
        read: Told of those that were read, as others have appended them.
        doubt: Called where an event arrives at a position that was there before: it was read
            already, or the journal has lost its end.

    Attributes:
        position: The last position that was dispatched.
    """

    def __init__(
        self,
        journal: Journal,
        dispatch: Callable[[list[Event]], None],
        read: Callable[[list[Event]], None] = lambda _events: None,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._tell_read = read
        self._journal = journal
        self._dispatch = dispatch
        self._early: dict[int, list[Event]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._again = False
        self._doubt = doubt
        self._times_set_back = 0
        self._last: Event | None = None
        self.position = 0

    def arrived(self, placed: Placed, events: list[Event]) -> None:
        """Take events that this process has appended."""
        before, positions = placed
        for position, event in zip(positions, events, strict=True):
            event.position = position
        if positions[-1] - positions[0] >= len(positions):
            for first, run in _runs(events):
                self._arrived(first - 1, run)
        else:
            self._arrived(before, events)

    def _arrived(self, before: int, events: list[Event]) -> None:
        if before > self.position:
            self._early[before] = events
            asyncio.get_running_loop().call_later(
                _PATIENCE, self._look_for_gap, before, context=Context()
            )
            return
        if events[0].position <= self.position:
            self._doubt()
        self._take(events)
        while (following := self._early.pop(self.position, None)) is not None:
            self._take(following)

    def read(self) -> None:
        """Read what others have appended, if anything."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(
                self._read(), name="nexus.events.read", context=Context()
            )
        else:
            self._again = True

    async def close(self) -> None:
        """End a read that is under way."""
        if self._reading is not None:
            await end([self._reading])

    @property
    def last(self) -> Landmark | None:
        """The last event that was dispatched."""
        if self._last is None:
            return None
        return Landmark(position=self._last.position, id=self._last.id)

    def set_back(self, position: int) -> None:
        """See again what is behind a position: the journal has lost what was there."""
        self._times_set_back += 1
        self._early.clear()
        self._last = None
        self.position = min(self.position, position)

    def _take(self, events: list[Event]) -> None:
        new = events
        if events and events[0].position <= self.position:
            new = [each for each in events if each.position > self.position]
        if new:
            self._last = new[-1]
            self.position = self._last.position
            self._dispatch(new)

    def _look_for_gap(self, before: int) -> None:
        if before in self._early:
            self.read()

    async def look(self) -> None:
        """Read what others have appended, if anything, and wait for that."""
        if await self._journal.end() > self.position:
            self.read()
            if self._reading is not None:
                await asyncio.wait({self._reading})

    async def _read(self) -> None:
        try:
            while True:
                try:
                    if not await self._read_page():
                        break
                except NexusError as error:
                    logger.warning("The event log cannot be read", extra={"reason": str(error)})
                    await asyncio.sleep(_PAUSE)
        finally:
            self._reading = None

    async def _read_page(self) -> bool:
        """Read a page, and say whether there may be another one."""
        self._again = False
        set_back = self._times_set_back
        # All up to the end were there before it, so none of them can be missed.
        end = await self._journal.end()
        events, following = await self._journal.page(self.position + 1, end)
        if set_back != self._times_set_back:
            return True
        # Positions have no gaps but where old events were removed, which all have handled.
        new = [each for each in events if each.position > self.position]
        self._take(events)
        if new:
            self._tell_read(new)
        self.position = max(self.position, following - 1)
        for before in sorted(each for each in self._early if each <= self.position):
            self._take(self._early.pop(before))
        return following <= end or self._again


def _runs(events: list[Event]) -> Iterator[tuple[int, list[Event]]]:
    """Give the parts of a list in which no position is left out, each with its first."""
    run: list[Event] = []
    for event in events:
        if run and event.position != run[-1].position + 1:
            yield run[0].position, run
            run = []
        run.append(event)
    if run:
        yield run[0].position, run
