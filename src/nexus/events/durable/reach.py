"""Notices that an engine has lost the end of its events, or all of them, and goes on without.

A server that was not synced, or was restored from a copy, comes back with less than the cursors in
the database have seen, and gives the positions of what is lost to what is published next. Whoever
went on at the old cursors would take the new events for old ones. So the database remembers an
event near the end, and when the engine had stored it. Where that event is not in its place any
more, cursors go back to what was stored after it: nothing new is left out, and some of what was
handled may be delivered once more.

Of several processes, one moves the cursors. The others see that by the row's `generation`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from nexus.data.database import Database
from nexus.data.transaction import Transaction
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Journal
from nexus.events.durable.landmarks import Landmark, Landmarks
from nexus.events.durable.rewinding import rewind

logger = logging.getLogger(__name__)

TABLE: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_event_reach (
        id {number} PRIMARY KEY,
        generation {number} NOT NULL,
        cursor_limit {number} NOT NULL,
        position {number} NOT NULL,
        event_id {word} NOT NULL,
        stored {number} NOT NULL
    ) {options}
    """,
    """
    {insert_once} INTO nexus_event_reach (id, generation, cursor_limit, position, event_id, stored)
    SELECT 1, 0, 0, 0, '', 0 FROM (SELECT 1 AS one) AS once
    WHERE NOT EXISTS (SELECT 1 FROM nexus_event_reach)
    """,
)
_TOLD_FOR: Final = 3600.0
_SURE: Final = 0.5
"""Seconds after which what looks lost is looked for once more: a new leader may be late."""
_QUIET: Final = 15.0
_SEVERAL: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The row of `nexus_event_reach`.

    Attributes:
        generation: How often something was lost.
        limit: No cursor was behind this position when that was noticed last.
        mark: The event near the end that is known to have been there.
    """

    generation: int
    limit: int
    mark: Landmark


class Reach:
    """How far the journal goes, as far as it is known.

    Args:
        database: Where the cursors are.
        journal: Where the events are.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._journal = journal
        self._generation = 0
        self._identity = ""
        self._last: Callable[[], Landmark | None] = lambda: None
        self._set_back: Callable[[int], Awaitable[None]] | None = None
        self._doubted: list[Landmark] = []
        self._is_doubtful = False
        self._interruptions = 0
        self._quiet_from = 0.0
        self._turn = asyncio.Lock()
        self._told_until = 0.0
        self._lost = ""

    @property
    def lost(self) -> str:
        """What was lost within the last hour, in words; empty where nothing was."""
        return self._lost if time.monotonic() < self._told_until else ""

    # At the start

    async def open(self) -> None:
        """Bring back cursors that are behind the end; the journal is open."""
        landmarks = self._journal.landmarks
        if landmarks is None:
            return
        self._identity = self._journal.identity
        state = await self._state()
        self._generation = state.generation
        await self._check(landmarks, state, [])
        self._generation = (await self._state()).generation

    def follow(
        self, last: Callable[[], Landmark | None], set_back: Callable[[int], Awaitable[None]]
    ) -> None:
        """Have an eye on the journal while a process runs.

        Args:
            last: Gives the last event that the process has seen.
            set_back: Has the process see again all that is behind a position.
        """
        self._last, self._set_back = last, set_back
        if self._journal.landmarks is not None:
            self._journal.landmarks.when_interrupted(self._interrupted)

    async def close(self) -> None:
        """Remember the last event for the next start.

        Raises:
            EventEngineUnavailable: The engine cannot be asked.
        """
        landmarks = self._journal.landmarks
        if landmarks is not None and not self._is_doubtful:
            async with self._turn:
                state = await self._state()
                if state.generation == self._generation:
                    await self._note(landmarks, state, self._last())

    # While it runs

    def doubt(self) -> None:
        """Look soon whether all is in its place; what was seen last is kept in mind for that."""
        self._is_doubtful = True
        last = self._last()
        if last is not None and last not in self._doubted and len(self._doubted) < _SEVERAL:
            self._doubted.append(last)

    def _interrupted(self) -> None:
        self._interruptions += 1
        self._quiet_from = time.monotonic() + _QUIET
        self.doubt()

    async def look(self) -> None:
        """Check it if there is a doubt."""
        if self._is_doubtful:
            await self.check()

    async def check(self) -> None:
        """See whether the journal still has what it had.

        Raises:
            EventEngineUnavailable: It cannot be asked; the doubt stays.
            EventJournalTaken: It was made anew by another application.
        """
        landmarks = self._journal.landmarks
        if landmarks is None:
            return
        async with self._turn:
            doubted, interruptions = self._doubted[:], self._interruptions
            identity = await landmarks.identify()
            if identity != self._identity:
                await self.begin(self._journal.engine, self._identity, at=0)
                self._identity = identity
            state = await self._state()
            if state.generation == self._generation:
                await self._check(landmarks, state, doubted)
                state = await self._state()
            if state.generation != self._generation:
                doubted = self._doubted[:]
                if self._set_back is not None:
                    await self._set_back(state.limit)
                self._generation = state.generation
            del self._doubted[: len(doubted)]
            self._is_doubtful = bool(self._doubted)
            if interruptions == self._interruptions:
                landmarks.trust()
            else:
                self._is_doubtful = True

    async def _check(self, landmarks: Landmarks, state: State, doubted: list[Landmark]) -> None:
        last = self._last()
        known = [state.mark, *doubted, await self._furthest()]
        if last is not None:
            known.append(last)
        if not await self._is_lost(landmarks, known):
            await self._note(landmarks, state, last)
            return
        await asyncio.sleep(_SURE)
        if await self._is_lost(landmarks, known):
            await self._recover(landmarks, state)

    async def _furthest(self) -> Landmark:
        """Give the cursor that is behind all others."""
        row = await self._database.fetch_one(
            "SELECT COALESCE(max(last_position), 0) FROM nexus_event_subscriptions"
        )
        return Landmark(position=int(row[0]), id="")

    async def _is_lost(self, landmarks: Landmarks, known: list[Landmark]) -> bool:
        """Tell whether an event is not where it was; one that was removed is not lost."""
        if await self._journal.end() < max(each.position for each in known):
            return True
        for each in known:
            if each.id:
                found = await landmarks.at(each.position)
                if found is not None and found.id != each.id:
                    return True
        return False

    async def _note(self, landmarks: Landmarks, state: State, last: Landmark | None) -> None:
        """Remember the last event, if it is behind what is remembered.

        Not soon after an interruption: another process may yet find that something was lost then.
        """
        if last is None or last.position <= state.mark.position:
            return
        if time.monotonic() < self._quiet_from:
            return
        found = await landmarks.at(last.position)
        if found is None or found.id != last.id:
            return
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_reach SET position = ?, event_id = ?, stored = ?"
                " WHERE generation = ? AND position < ?"
            ),
            (found.position, found.id, found.stored, state.generation, found.position),
        )

    # What is done about it

    async def _recover(self, landmarks: Landmarks, state: State) -> None:
        """Have the cursors go back to what may be new; of several processes, one does it."""
        limit = await landmarks.after(state.mark) - 1
        async with self._database.transaction() as transaction:
            is_first = await transaction.execute(
                self._dialect(
                    "UPDATE nexus_event_reach SET generation = generation + 1, cursor_limit = ?,"
                    " position = 0, event_id = '' WHERE generation = ?"
                ),
                (limit, state.generation),
            )
            if is_first:
                await rewind(transaction, self._dialect, limit)
        self._tell("The event log has lost its end; what was published last may be gone", limit)

    async def begin(self, engine: str, identity: str, *, at: int) -> None:
        """Have the cursors belong to the journal from now on; of several processes, one does it.

        Args:
            engine: The engine that they belonged to.
            identity: What told its journal from others.
            at: Where the cursors are to be.
        """
        journal = self._journal
        if engine == journal.engine:
            self._tell("The event log was made anew; what waited in the one before is lost", at)
        async with self._database.transaction() as transaction:
            is_first = await transaction.execute(
                self._dialect(
                    "UPDATE nexus_event_journal SET engine = ?, identity = ?"
                    " WHERE engine = ? AND identity = ?"
                ),
                (journal.engine, journal.identity, engine, identity),
            )
            if is_first:
                await self._begin(transaction, at)

    async def _begin(self, transaction: Transaction, at: int) -> None:
        await transaction.execute(
            self._dialect(
                "UPDATE nexus_event_reach SET generation = generation + 1, cursor_limit = ?,"
                " position = 0, event_id = '', stored = 0"
            ),
            (at,),
        )
        await rewind(transaction, self._dialect, at, exactly=True)

    def _tell(self, message: str, limit: int) -> None:
        journal = self._journal
        logger.error(
            message,
            extra={"engine": journal.engine, "location": journal.location, "position": limit},
        )
        self._lost = f"{message}. All behind position {limit} is delivered again, if it is there."
        self._told_until = time.monotonic() + _TOLD_FOR

    async def _state(self) -> State:
        row = await self._database.fetch_one(
            "SELECT generation, cursor_limit, position, event_id, stored FROM nexus_event_reach"
        )
        return State(
            generation=int(row[0]),
            limit=int(row[1]),
            mark=Landmark(position=int(row[2]), id=str(row[3]), stored=int(row[4])),
        )
