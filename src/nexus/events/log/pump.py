"""Takes one durable subscription's events from the log to its mailboxes, and back what became of
them."""

import asyncio
import time
from collections import deque
from typing import Any

from nexus.events.ask import Ask
from nexus.events.dead_letters import DeadReason, describe, trace
from nexus.events.event import Event
from nexus.events.handlers import AsyncHandler
from nexus.events.identity import next_serial, render_id
from nexus.events.log.buried import Buried
from nexus.events.log.event_log import EventStream
from nexus.events.log.key import SubscriptionKey
from nexus.events.mailbox import Mailbox

_BATCH = 128
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
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"nexus-events:{self.key}"
            )
        self._wake()

    def detach(self, mailbox: Mailbox) -> None:
        """Give no more events to a mailbox."""
        if mailbox in self._mailboxes:
            self._mailboxes.remove(mailbox)
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
            for event in await self._stream.fetch(await self._wait_for_room()):
                self._hand_over(event)

    async def _wait_for_room(self) -> int:
        while (room := self._count_room()) <= 0:
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None
        return min(room, _BATCH)

    def _count_room(self) -> int:
        if not self._mailboxes:
            return 0
        return min(each.room for each in self._mailboxes) - self._waiting

    def _wake(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _hand_over(self, event: Event) -> None:
        key = event.ordering_key
        if key is not None and self._works_at_once:
            held = self._behind.get(key)
            if held is not None:
                held.append(event)
                self._waiting += 1
                return
            self._behind[key] = deque()
        self._put(event)

    @property
    def _works_at_once(self) -> bool:
        return any(each.concurrency > 1 for each in self._mailboxes)

    def _put(self, event: Event) -> None:
        mailboxes = self._mailboxes
        if not mailboxes:
            self._stream.release(event)
            return
        if len(mailboxes) > 1:
            self._shares[event] = len(mailboxes)
        for mailbox in mailboxes:
            if not mailbox.put(event):
                mailbox.stand_in_line(event)

    # What became of them

    def watching(self, handler: AsyncHandler) -> AsyncHandler:
        """Give a handler that tells the log when it is through with an event."""
        done = self._done

        async def handle(event: Event) -> Any:
            result = await handler(event)
            done(event)
            return result

        return handle

    def _done(self, event: Event) -> None:
        if type(event) is Ask:
            return
        if self._shares and self._is_shared(event):
            return
        self._stream.acknowledge(event)
        self._after(event)

    def give_up(
        self, event: Event, reason: DeadReason, error: BaseException | None, attempts: int
    ) -> None:
        """Make a dead letter of an event, or give it back where it was not tried to the end."""
        if self._shares and self._is_shared(event):
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
        return left > 0

    def _after(self, event: Event) -> None:
        key = event.ordering_key
        if key is not None and (held := self._behind.get(key)) is not None:
            if held:
                self._waiting -= 1
                self._put(held.popleft())
            else:
                del self._behind[key]
        if self._room is not None and self._has_much_room():
            self._wake()

    def _has_much_room(self) -> bool:
        """Say whether a fetch is worth it; for each single place, it would cost too much."""
        limit = min((each.limit for each in self._mailboxes), default=1)
        return self._count_room() >= min(_BATCH, (limit + 1) // 2)
