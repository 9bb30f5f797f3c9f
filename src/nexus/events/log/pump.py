"""Takes one durable subscription's events from the log to its mailboxes, and back what became of
them."""

import asyncio
import time
from collections import deque
from contextvars import Context
from typing import Any

from nexus.events.ask import Ask
from nexus.events.dead_letters import DeadReason, describe, trace
from nexus.events.event import Event
from nexus.events.handlers import AsyncHandler
from nexus.events.identity import next_serial, render_id
from nexus.events.log.buried import Buried
from nexus.events.log.event_log import EventStream
from nexus.events.line import Waiting
from nexus.events.log.key import SubscriptionKey
from nexus.events.mailbox import Mailbox

_BATCH = 128
_HELD = 1000
"""So many events may wait for others with their ordering keys."""
_UNHANDLED = frozenset({DeadReason.SHUTDOWN, DeadReason.PUBLISHER_CANCELLED})


class Pump:
    """Moves events while there is room, each to every mailbox of the subscription.

    An event is acknowledged when all of them are through with it. Events with the same ordering
    key are never in a mailbox at the same time, so that they stay in order where several are
    handled at once.

    Args:
        stream: The subscription's events.
    """

    def __init__(self, stream: EventStream) -> None:
        self.key: SubscriptionKey = stream.key
        self._stream = stream
        self._mailboxes: list[Mailbox] = []
        self._task: asyncio.Task[None] | None = None
        self._shares: dict[Event, int] = {}
        self._behind: dict[str, deque[Event]] = {}
        self._waiting = 0
        self._room: asyncio.Future[None] | None = None
        self._is_plain = False
        stream.set_sink(self._accept)

    # The mailboxes

    @property
    def is_idle(self) -> bool:
        """Whether no mailbox is to be given events."""
        return not self._mailboxes

    def attach(self, mailbox: Mailbox) -> None:
        """Give events to a mailbox, too."""
        if mailbox in self._mailboxes:
            return
        self._mailboxes.append(mailbox)
        self._note()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"nexus-events:{self.key}", context=Context()
            )

    def detach(self, mailbox: Mailbox) -> None:
        """Give no more events to a mailbox."""
        if mailbox in self._mailboxes:
            self._mailboxes.remove(mailbox)
            self._note()
        if not self._mailboxes and self._task is not None:
            self._task.cancel()
            self._task = None

    async def stop(self) -> None:
        """Give the subscription back."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        for held in self._behind.values():
            for event in held:
                self._stream.release(event)
        self._behind.clear()
        self._waiting = 0
        await self._stream.leave()

    # From the log to the mailboxes

    async def _run(self) -> None:
        while True:
            events = deque(await self._stream.fetch(_BATCH))
            try:
                while events:
                    await self._hand_over(events.popleft())
            finally:
                for event in events:  # where it was cancelled in between
                    self._stream.release(event)

    def _accept(self, events: list[Event]) -> bool:
        """Take events right into the mailbox, where nothing stands in between."""
        if not self._is_plain:
            return False
        [mailbox] = self._mailboxes
        if mailbox.line or mailbox.room < len(events):
            return False
        mailbox.accept(events)
        return True

    async def _hand_over(self, event: Event) -> None:
        key = event.ordering_key
        if key is not None and self._works_at_once:
            held = self._behind.get(key)
            if held is not None:
                held.append(event)
                self._waiting += 1
                if self._waiting >= _HELD:
                    await self._wait_for_keys()
                return
            self._behind[key] = deque()
        waiting = self._put(event)
        if waiting:
            await asyncio.wait([each.settled for each in waiting])

    async def _wait_for_keys(self) -> None:
        """Wait until fewer events wait for others with their keys."""
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._room = None

    @property
    def _works_at_once(self) -> bool:
        return any(each.concurrency > 1 for each in self._mailboxes)

    def _put(self, event: Event) -> list[Waiting]:
        """Put an event into the mailboxes, and give where it has to stand in line."""
        mailboxes = self._mailboxes
        if not mailboxes:
            self._stream.release(event)
            return []
        if len(mailboxes) > 1:
            self._shares[event] = len(mailboxes)
        return [each.stand_in_line(event) for each in mailboxes if not each.put(event)]

    # What became of them

    def watching(self, handler: AsyncHandler) -> AsyncHandler:
        """Give a handler that tells the log when it is through with an event."""
        acknowledge, done = self._stream.acknowledge, self._done

        async def handle(event: Event) -> Any:
            result = await handler(event)
            if self._is_plain and type(event) is Event:
                acknowledge(event)
            else:
                done(event)
            return result

        return handle

    def _done(self, event: Event) -> None:
        if type(event) is Ask or self._is_shared(event):
            return
        self._stream.acknowledge(event)
        self._after(event)

    def give_up(
        self, event: Event, reason: DeadReason, error: BaseException | None, attempts: int
    ) -> None:
        """Make a dead letter of an event, or give it back where it was not tried to the end."""
        if self._is_shared(event):
            return
        if reason in _UNHANDLED:
            self._stream.release(event)
        else:
            self._stream.bury(
                Buried(
                    id=render_id(time.time_ns(), next_serial()),
                    key=self.key,
                    event=event,
                    reason=str(reason),
                    error=describe(error),
                    traceback=trace(error),
                    attempts=attempts,
                    time_ns=time.time_ns(),
                )
            )
        self._after(event)

    def _is_shared(self, event: Event) -> bool:
        """Count down for whom the event still has to be handled; False when for nobody."""
        left = self._shares.pop(event, 1) - 1
        if left > 0:
            self._shares[event] = left
        elif not self._shares:
            self._note()
        return left > 0

    def _after(self, event: Event) -> None:
        """Let the next event with the same key have its turn."""
        key = event.ordering_key
        held = None if key is None else self._behind.get(key)
        if key is None or held is None:
            return
        if not held:
            del self._behind[key]
            self._note()
            return
        self._waiting -= 1
        self._put(held.popleft())
        if self._room is not None and not self._room.done() and self._waiting < _HELD // 2:
            self._room.set_result(None)

    def _note(self) -> None:
        """Work out whether events can go straight to the mailbox and back."""
        self._is_plain = (
            len(self._mailboxes) == 1
            and self._mailboxes[0].concurrency == 1
            and not self._shares
            and not self._behind
        )
