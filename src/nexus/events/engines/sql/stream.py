"""One durable subscription, as this process works on it."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nexus.errors import NexusError
from nexus.events.dead_letters import DeadReason
from nexus.events.engines.sql.rows import COLUMNS, positioned
from nexus.events.event import Event
from nexus.events.log.buried import Buried
from nexus.events.log.event_log import Sink
from nexus.events.log.key import SubscriptionKey
from nexus.events.pattern import ONE, REST, matches

if TYPE_CHECKING:
    from nexus.events.engines.sql.log import SqlEventLog

_READY: Final = 1000
_PAGE: Final = 500
_PAUSE: Final = 0.2
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a subscription's row says when its lease is taken.

    Attributes:
        id: The row.
        epoch: The number of this holder; a higher one refuses it.
        cursor: Up to this position everything was handled.
        acknowledged: Positions behind it that were handled as well.
        is_suspect: Whether the last holder died, and perhaps of what it had in hand.
    """

    id: int
    epoch: int
    cursor: int
    acknowledged: frozenset[int]
    is_suspect: bool


class SqlStream:
    """`EventStream` on the application's database.

    While it is live, it has seen everything up to the log's tail, and is handed what follows by
    memory. When that is more than it keeps, it falls behind and reads on from the database.

    Args:
        log: The log.
        key: The subscription.
    """

    def __init__(self, log: "SqlEventLog", key: SubscriptionKey) -> None:
        self._log = log
        self._key = key
        self._claim: Claim | None = None
        self._is_live = False
        self._next = 0
        self._ready: deque[Event] = deque()
        self._again: list[Event] = []
        self._sink: Sink | None = None
        self._runs: deque[list[Event]] = deque()
        self._at = 0
        self._completed: list[Event] = []
        self._done: set[int] = set()
        self._letters: set[str] = set()
        self._is_suspect = False
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
        return sum(map(len, self._runs)) - self._at - len(self._done)

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
        self._done = set(claim.acknowledged)
        self._is_suspect = claim.is_suspect
        self._look_for_letters = True
        self.wake()

    def lose(self) -> None:
        """Work on it no longer; what is in hand will be delivered again."""
        self._claim = None
        self._is_live = False
        self._ready.clear()
        self._again.clear()
        self._runs.clear()
        self._at = 0
        self._completed.clear()
        self._done.clear()
        self._letters.clear()

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
        if len(self._ready) >= _READY:
            self._is_live = False
            self._next = events[0].position
            return
        self._runs.append(events)
        # While it waits, everything before these has been given away.
        if self._waiting is None or self._sink is None or not self._sink(events):
            self._ready.extend(events)
            self.wake()

    async def fetch(self, limit: int) -> Sequence[Event]:
        """Wait until there are events, and give up to `limit` of them in order."""
        while True:
            try:
                if self._claim is None:
                    await self._log.claims.request(self)
                    if self._claim is None:
                        await self._wait(self._log.claims.patience)
                elif not self._log.claims.is_current:
                    await self._log.claims.renew()
                elif self._look_for_letters:
                    if letters := await self._read_letters():
                        return letters
                elif found := self._take_ready(limit):
                    if not self._is_suspect:
                        return found
                    self._put_back(found)
                    if await self._suspect(found[0]):
                        return self._take_ready(1)
                elif not self._is_live:
                    await self._read_on()
                else:
                    await self._wait()
            except NexusError as error:
                self._log.trouble(error)
                await asyncio.sleep(_PAUSE)

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
        self._again = sorted(
            (*self._again, *events), key=lambda each: getattr(each, "position", 0)
        )

    async def _wait(self, limit: float | None = None) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((self._waiting,), timeout=limit)
        finally:
            self._waiting = None

    async def _read_on(self) -> None:
        """Read what it has not seen, at most a page."""
        claim, first, end = self._claim, self._next, self._log.tail.position
        if first <= end:
            condition, values = named_like(self._key.pattern)
            rows = await self._log.fetch_all(
                f"SELECT position, {COLUMNS} FROM nexus_events WHERE position >= ?"  # noqa: S608
                f" AND position <= ?{condition} ORDER BY position LIMIT {_PAGE}",
                (first, end, *values),
            )
            if self._claim is not claim or self._next != first:
                return
            self._next = rows[-1][0] + 1 if len(rows) == _PAGE else end + 1
            found = [
                positioned(row)
                for row in rows
                if row[0] not in self._done and matches(self._key.pattern, row[2])
            ]
            if found:
                self._runs.append(found)
                self._ready.extend(found)
        # Nothing can come in between: dispatching and this are one thread's.
        self._is_live = self._next > self._log.tail.position

    async def _read_letters(self) -> list[Event]:
        self._look_for_letters = False
        try:
            letters = await self._log.letter_box.to_retry(self._key)
        except NexusError:
            self._look_for_letters = True
            raise
        events = []
        for letter in letters:
            if letter.id not in self._letters:
                self._letters.add(letter.id)
                letter.event.letter = letter.id
                events.append(letter.event)
        return events

    async def _suspect(self, event: Event) -> bool:
        """Note which event is in hand, in case the process dies of it; False: it is given up."""
        claim = self._claim
        position = getattr(event, "position", None)
        if claim is None or position is None:
            self._is_suspect = False
            return True
        crashes = await self._log.claims.suspect(claim, position)
        self._is_suspect = False
        if self._claim is not claim or crashes <= self._log.settings.max_crashes:
            return self._claim is claim
        self._again = [each for each in self._again if each is not event]
        self.bury(self._log.crashed(self._key, event, crashes, str(DeadReason.CRASHED)))
        return False

    # What became of it

    def acknowledge(self, event: Event) -> None:
        """Note that an event was handled."""
        if not self._completed:
            self._log.acknowledgements.mark(self)
        self._completed.append(event)

    def release(self, event: Event) -> None:
        """Give an event back that was not handled."""
        if self._claim is not None:
            self._put_back([event])
            self.wake()

    def bury(self, letter: Buried) -> None:
        """Note that an event was given up."""
        if self._claim is None:
            return  # Whoever has the lease now is given it again.
        again = getattr(letter.event, "letter", None)
        if again is None:
            self._log.letter_box.add(letter)
            self.acknowledge(letter.event)
        else:
            self._letters.discard(again)
            self._log.letter_box.failed_again(again, letter)
            self._log.acknowledgements.mark(self)

    def _collect(self) -> None:
        """Take note of what was completed."""
        completed = self._completed[:]
        self._completed.clear()
        runs, at, done = self._runs, self._at, self._done
        for event in completed:
            if runs and runs[0][at] is event:
                at += 1
                if at == len(runs[0]):
                    runs.popleft()
                    at = 0
            else:
                self._complete_out_of_order(event)
        while runs and runs[0][at].position in done:
            done.discard(runs[0][at].position)
            at += 1
            if at == len(runs[0]):
                runs.popleft()
                at = 0
        self._at = at

    def _complete_out_of_order(self, event: Event) -> None:
        letter = getattr(event, "letter", None)
        if letter is not None:
            self._letters.discard(letter)
            self._log.letter_box.handled(letter)
        elif getattr(event, "position", 0) > self._stored:
            self._done.add(event.position)

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

    # What is stored of it

    def progress(self) -> tuple[int, str] | None:
        """Give the cursor and the positions behind it that were handled; None if it has no lease.

        Everything up to the cursor was handled, or is none of the subscription's.
        """
        if self._claim is None:
            return None
        self._collect()
        if self._runs:
            cursor = self._runs[0][self._at].position - 1
        else:
            seen = self._log.tail.position if self._is_live else self._next - 1
            cursor = max(seen, self._stored)
        if self._done:
            self._done = {each for each in self._done if each > cursor}
        self._stored = cursor
        return cursor, json.dumps(sorted(self._done)[:_REMEMBERED]) if self._done else ""

    @property
    def is_behind_what_it_knows(self) -> bool:
        """Whether all was handled up to a place behind the stored cursor."""
        return (
            self._claim is not None
            and self._is_live
            and not (self._runs or self._completed)
            and self._stored < self._log.tail.position
        )


def named_like(pattern: str) -> tuple[str, tuple[Any, ...]]:
    """Give a condition that leaves out most of the events that a pattern does not match."""
    segments = pattern.split(".")
    if ONE not in segments and REST not in segments:
        return " AND name = ?", (pattern,)
    fixed = []
    for segment in segments:
        if segment in (ONE, REST):
            break
        fixed.append(segment)
    if not fixed:
        return "", ()
    prefix = ".".join(fixed)
    # "/" is the character after ".".
    return " AND name > ? AND name < ?", (f"{prefix}.", f"{prefix}/")
