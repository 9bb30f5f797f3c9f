"""Takes a durable subscription's events to its mailboxes, and tells the log what became of them."""

import asyncio
import logging
import time
from collections import deque
from contextvars import Context
from itertools import islice
from typing import Any

from nexus.events.ask import Ask
from nexus.events.dead_letters import DeadReason, describe, trace
from nexus.events.event import Event
from nexus.events.handlers import AsyncHandler
from nexus.events.identity import next_serial, render_id
from nexus.events.line import Waiting
from nexus.events.log.buried import Buried
from nexus.events.log.event_log import EventStream
from nexus.events.log.key import SubscriptionKey
from nexus.events.mailbox import Mailbox

_BATCH = 128
_HELD = 1000
"""So many events may wait for others with their ordering keys."""
_PAUSE = 1.0
_UNHANDLED = frozenset({DeadReason.SHUTDOWN, DeadReason.PUBLISHER_CANCELLED})

logger = logging.getLogger(__name__)


class Share:
    """What several mailboxes make of one event.

    Attributes:
        left: How many are not through with it.
        is_unhandled: Whether one of them gave it back untried.
        letter: What one of them has made a dead letter of.
    """

    __slots__ = ("is_unhandled", "left", "letter")

    def __init__(self, left: int) -> None:
        self.left = left
        self.is_unhandled = False
        self.letter: Buried | None = None


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
        self._shares: dict[Event, Share] = {}
        # By the key: the event that is in hand, and those that wait for it.
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

    @property
    def is_settled(self) -> bool:
        """Whether it moves nothing, or has nothing left to move that the log has here."""
        if self._task is None or self._task.cancelling() or self._task.done():
            return True
        return self._stream.is_settled

    def attach(self, mailbox: Mailbox) -> None:
        """Give events to a mailbox, too."""
        if mailbox in self._mailboxes:
            return
        self._mailboxes.append(mailbox)
        self._note()
        if self._task is None or self._task.cancelling() or self._task.done():
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"nexus-events:{self.key}", context=Context()
            )

    def detach(self, mailbox: Mailbox) -> None:
        """Give no more events to a mailbox."""
        if mailbox in self._mailboxes:
            self._mailboxes.remove(mailbox)
            self._note()
        if not self._mailboxes:
            self.halt()

    def halt(self) -> None:
        """Take no more events out of the log."""
        self._is_plain = False
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Give the subscription back."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        if self._task is not None:
            return  # Somebody was attached meanwhile.
        for held in self._behind.values():
            for event in islice(held, 1, None):
                self._stream.release(event)
        self._behind.clear()
        self._waiting = 0
        await self._stream.leave()

    # From the log to the mailboxes

    async def _run(self) -> None:
        while True:
            try:
                events = deque(await self._stream.fetch(_BATCH))
            except Exception:
                # Whatever it is: without this task, nothing would be delivered any more.
                logger.exception(
                    "Events of a durable subscription cannot be fetched",
                    extra={"plugin": self.key.plugin, "pattern": self.key.pattern},
                )
                await asyncio.sleep(_PAUSE)
                continue
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
        if key is not None and (self._works_at_once or key in self._behind):
            held = self._behind.get(key)
            if held is not None:
                held.append(event)
                self._waiting += 1
                if self._waiting >= _HELD:
                    await self._wait_for_keys()
                return
            self._behind[key] = deque([event])
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
            self._let_go(event)
            return []
        if len(mailboxes) > 1:
            self._shares[event] = Share(len(mailboxes))
        return [each.stand_in_line(event) for each in mailboxes if not each.put(event)]

    def _let_go(self, event: Event) -> None:
        """Give an event back, and those that are held behind it."""
        key = event.ordering_key
        held = () if key is None else self._behind.pop(key, ())
        self._waiting -= max(len(held) - 1, 0)
        for each in held or (event,):
            self._stream.release(each)

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
        if type(event) is not Ask:
            self._conclude(event, is_unhandled=False, letter=None)

    def give_up(
        self, event: Event, reason: DeadReason, error: BaseException | None, attempts: int
    ) -> None:
        """Make a dead letter of an event, or give it back where it was not tried to the end."""
        is_unhandled = reason in _UNHANDLED
        letter = None
        if not is_unhandled:
            letter = Buried(
                id=render_id(time.time_ns(), next_serial()),
                key=self.key,
                event=event,
                reason=str(reason),
                error=describe(error),
                traceback=trace(error),
                attempts=attempts,
                time_ns=time.time_ns(),
            )
        self._conclude(event, is_unhandled=is_unhandled, letter=letter)

    def _conclude(self, event: Event, *, is_unhandled: bool, letter: Buried | None) -> None:
        """Tell the log what became of an event, once all mailboxes are through with it."""
        share = self._shares.get(event)
        if share is not None:
            share.left -= 1
            share.is_unhandled = is_unhandled = share.is_unhandled or is_unhandled
            share.letter = letter = share.letter or letter
            if share.left > 0:
                return
            del self._shares[event]
            self._note()
        if is_unhandled:
            self._stream.release(event)
        elif letter is not None:
            self._stream.bury(letter)
        else:
            self._stream.acknowledge(event)
        self._after(event)

    def _after(self, event: Event) -> None:
        """Let the next event with the same key have its turn."""
        key = event.ordering_key
        held = None if key is None else self._behind.get(key)
        if key is None or held is None or held[0] is not event:
            return
        held.popleft()
        if not held:
            del self._behind[key]
            self._note()
            return
        self._waiting -= 1
        self._put(held[0])
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
