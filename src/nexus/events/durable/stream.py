"""One durable subscription, as this process works on it."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from nexus.errors import NexusError
from nexus.events.dead_letters import DeadReason
from nexus.events.durable.claim import Claim
from nexus.events.durable.outstanding import Outstanding
from nexus.events.event import Event
from nexus.events.log.buried import Buried
from nexus.events.log.event_log import Sink
from nexus.events.log.key import SubscriptionKey

if TYPE_CHECKING:
    from nexus.events.durable.log import DurableLog

_READY: Final = 1000
_PAUSE: Final = 0.2
_REMEMBERED: Final = 10_000
_CAREFUL: Final = 128
"""So many events are handled one by one after the last holder has died."""


class DurableStream:
    """`EventStream` of the durable log.

    While it is live, it has seen everything up to the log's tail, and is handed what follows by
    memory. When that is more than it keeps, it falls behind and reads on from the journal.

    Args:
        log: The log.
        key: The subscription.
    """

    def __init__(self, log: "DurableLog", key: SubscriptionKey) -> None:
        self._log = log
        self._key = key
        self._claim: Claim | None = None
        self._is_live = False
        self._next = 0
        self._ready: deque[Event] = deque()
        self._again: list[Event] = []
        self._sink: Sink | None = None
        self._outstanding = Outstanding()
        self._completed = self._outstanding.completed
        self._letters: dict[str, int] = {}
        self._careful = 0
        self._in_hand: Event | None = None
        self._look_for_letters = False
        self._stored = -1
        self._waiting: asyncio.Future[None] | None = None

    # The lease

    @property
    def key(self) -> SubscriptionKey:
        """The subscription."""
        return self._key

    @property
    def claim(self) -> Claim | None:
        """The lease, if this process has it."""
        return self._claim

    @property
    def outstanding(self) -> int:
        """How many events wait here or are in hand."""
        self._collect()
        return self._outstanding.count

    @property
    def is_live(self) -> bool:
        """Whether it has seen all of the log."""
        return self._is_live

    def take(self, claim: Claim) -> None:
        """Work on the subscription from now on."""
        self.lose()
        self._claim = claim
        self._next = claim.cursor + 1
        self._stored = claim.cursor
        self._outstanding.begin(claim)
        self._careful = _CAREFUL if claim.suspect_until else 0
        self._look_for_letters = True
        self.wake()

    def lose(self) -> None:
        """Work on it no longer; what is in hand will be delivered again."""
        self._claim = None
        self._is_live = False
        self._ready.clear()
        self._again.clear()
        self._outstanding.clear()
        self._letters.clear()
        self._careful = 0
        self._in_hand = None

    def set_back(self, position: int) -> None:
        """Work on it no longer, and take nothing for handled that was behind a position."""
        self._outstanding.disown(position)
        self.lose()

    def wake(self) -> None:
        """Have whoever fetches look again."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def look_for_letters(self) -> None:
        """Look for dead letters that are to be tried again."""
        self._look_for_letters = True
        self.wake()

    # What comes in

    def set_sink(self, sink: Sink | None) -> None:
        """Have events that arrive while `fetch` waits given to a function instead."""
        self._sink = sink

    def offer(self, events: list[Event]) -> None:
        """Take events that follow on all that the log has dispatched before."""
        if not self._is_live:
            return
        events = self._outstanding.new(events, self._next)
        if not events:
            return
        if len(self._ready) >= _READY:
            self._is_live = False
            self._next = events[0].position
            return
        self._outstanding.add(events)
        if not self._gives_at_once or self._sink is None or not self._sink(events):
            self._ready.extend(events)
            self.wake()

    @property
    def _gives_at_once(self) -> bool:
        """Whether `fetch` waits, and has been woken by nothing that comes before what comes now."""
        return (
            self._waiting is not None
            and not self._waiting.done()
            and not self._careful
            and self._log.claims.is_current
        )

    async def fetch(self, limit: int) -> Sequence[Event]:
        """Wait until there are events, and give up to `limit` of them in order."""
        while True:
            try:
                if found := await self._look(limit):
                    return found
            except NexusError as error:
                self._log.trouble(error)
                await asyncio.sleep(_PAUSE)

    async def wait_for_events(self) -> None:
        """Wait until `fetch` would give events at once, and take none."""
        while self._claim is None or not (self._again or self._ready):
            try:
                await self._look(0)
            except NexusError as error:
                self._log.trouble(error)
                await asyncio.sleep(_PAUSE)

    async def _look(self, limit: int) -> Sequence[Event]:
        """Do the next thing that leads to events; nothing is waited for once some are taken."""
        if self._claim is None:
            await self._ask_for_lease()
        elif not self._log.claims.is_current:
            await self._log.claims.renew()
        elif self._in_hand is not None:
            await self._wait(self._log.claims.patience)
        elif self._look_for_letters:
            await self._read_letters()
        elif self._careful and (self._again or self._ready):
            return await self._take_carefully()
        elif found := self._take_ready(limit):
            return found
        elif not self._is_live:
            await self._read_on()
        else:
            await self._wait()
        return ()

    async def _ask_for_lease(self) -> None:
        await self._log.claims.request(self)
        if self._claim is None:
            await self._wait(self._log.claims.patience)

    def _take_ready(self, limit: int) -> list[Event]:
        if self._again:
            found, self._again = self._again[:limit], self._again[limit:]
            return found
        ready = self._ready
        if len(ready) <= limit:
            found = list(ready)
            ready.clear()
            return found
        return [ready.popleft() for _ in range(limit)]

    def _put_back(self, events: Iterable[Event]) -> None:
        self._again = sorted((*self._again, *events), key=lambda each: getattr(each, "position", 0))

    async def _wait(self, limit: float | None = None) -> None:
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((waiting,), timeout=limit)
        finally:
            if self._waiting is waiting:
                self._waiting = None

    async def _read_on(self) -> None:
        """Read what it has not seen, at most a page."""
        claim, first, end = self._claim, self._next, self._log.tail.position
        if first <= end:
            events, following = await self._log.journal.page(first, end, self._key.pattern)
            if self._claim is not claim or self._next != first:
                return
            self._next = following
            found = [each for each in events if self._outstanding.is_new(each.position)]
            if found:
                self._outstanding.add(found)
                self._ready.extend(found)
        # Nothing can come in between: dispatching and this are one thread's.
        self._is_live = self._next > self._log.tail.position

    async def _read_letters(self) -> None:
        claim = self._claim
        self._look_for_letters = False
        try:
            letters = await self._log.letter_box.to_retry(self._key)
        except BaseException:
            self._look_for_letters = True
            raise
        if self._claim is not claim:
            return
        for letter in letters:
            if letter.id not in self._letters:
                self._letters[letter.id] = letter.time_ns
                letter.event.letter = letter.id
                self._put_back([letter.event])

    # After a holder has died

    async def _take_carefully(self) -> Sequence[Event]:
        """Give one event alone, and note that before, in case the process dies of it.

        What was handled before is stored first: it must not be blamed.
        """
        claim, log = self._claim, self._log
        [event] = self._take_ready(1)
        letter = getattr(event, "letter", None)
        mark = event.position if letter is None else -self._letters.get(letter, 1)
        if claim is None or mark > claim.suspect_until:
            self._careful = 0
            return [event]
        self._put_back([event])
        await log.acknowledgements.flush()
        crashes = await log.claims.suspect(claim, mark)
        if self._claim is not claim or not any(each is event for each in self._again):
            return ()
        self._again = [each for each in self._again if each is not event]
        self._careful -= 1
        if crashes > log.settings.max_crashes:
            self.bury(log.crashed(self._key, event, crashes, str(DeadReason.CRASHED)))
            return ()
        self._in_hand = event
        return [event]

    def _is_over(self, event: Event) -> None:
        if self._in_hand is event:
            self._in_hand = None
            self.wake()

    # What became of it

    def acknowledge(self, event: Event) -> None:
        """Note that an event was handled."""
        if not self._completed:
            self._log.acknowledgements.mark(self)
        self._completed.append(event)
        if self._in_hand is not None:
            self._is_over(event)

    def release(self, event: Event) -> None:
        """Give an event back that was not handled."""
        if self._has(event) and not any(each is event for each in self._again):
            self._put_back([event])
            self._is_over(event)
            self.wake()

    def bury(self, letter: Buried) -> None:
        """Note that an event was given up."""
        event, claim = letter.event, self._claim
        if claim is None or not self._has(event):
            return  # Whoever has the lease now is given it again.
        again = getattr(event, "letter", None)
        if again is None:
            self._log.letter_box.add(letter, claim.epoch)
            self.acknowledge(event)
        else:
            del self._letters[again]
            self._log.letter_box.failed_again(again, letter)
            self._log.acknowledgements.mark(self)
            self._is_over(event)

    def _has(self, event: Event) -> bool:
        """Tell whether an event was given under this lease, and it is not known what became of it.

        One that was given under a lease before this one has been read again since.
        """
        letter = getattr(event, "letter", None)
        if self._claim is None or letter is not None:
            return letter in self._letters
        self._collect()
        return self._outstanding.has(event)

    def _collect(self) -> None:
        """Take note of what was completed."""
        self._outstanding.collect(self._stored, self._letter_handled)

    def _letter_handled(self, letter: str) -> None:
        self._letters.pop(letter, None)
        self._log.letter_box.handled(letter)

    async def leave(self) -> None:
        """Store what was noted and give the lease back."""
        claim = self._claim
        if claim is None:
            return
        try:
            await self._log.acknowledgements.flush()
            if self._claim is claim:
                await self._log.claims.give_back(claim)
        except NexusError as error:  # the lease runs out by itself
            self._log.trouble(error)
        if self._claim is claim:
            self.lose()

    async def hand_over(self) -> bool:
        """Let another process have the subscription, unless there is something to do for it here.

        Returns:
            Whether the lease was given back.
        """
        busy = self.outstanding or self._letters or self._again or self._in_hand is not None
        if self._claim is None or not self._is_live or busy:
            return False
        # From here on nothing comes in: it would be handled here and, at the same time, there.
        self._is_live, self._next = False, self._log.tail.position + 1
        await self.leave()
        self.wake()
        return True

    # What is stored of it

    def progress(self) -> tuple[int, str] | None:
        """Give the cursor and the positions behind it that were handled; None if it has no lease.

        Everything up to the cursor was handled, or is none of the subscription's.
        """
        if self._claim is None:
            return None
        self._collect()
        first = self._outstanding.first
        if first is not None:
            cursor = first - 1
        else:
            seen = self._log.tail.position if self._is_live else self._next - 1
            cursor = max(seen, self._stored)
        self._stored = cursor
        done = self._outstanding.handled_behind(cursor)
        return cursor, json.dumps(sorted(done)[:_REMEMBERED]) if done else ""

    def moved_on(self, claim: Claim, position: int) -> None:
        """Note that a cursor without events before it has been stored."""
        if self._claim is claim:
            self._stored = max(self._stored, position)

    @property
    def is_settled(self) -> bool:
        """Whether it has the lease, and everything for it that the log has here was handled."""
        if self._claim is None or not self._is_live or self._look_for_letters:
            return False
        self._collect()
        return not (self._outstanding or self._letters)

    @property
    def is_behind_what_it_knows(self) -> bool:
        """Whether all was handled up to a place behind the stored cursor."""
        return (
            self._claim is not None
            and self._is_live
            and not (self._outstanding or self._completed)
            and self._stored < self._log.tail.position
        )
