"""Which process works on which subscription: leases, and what proves that a process is alive.

A process that is alive moves the time in its row of `nexus_workers` on. A subscription whose
worker has let that time pass belongs to nobody, and the next who claims it raises its epoch:
what the former holder acknowledges afterwards carries the old epoch and is refused.
"""

import asyncio
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Collection, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from nexus.data.database import Database
from nexus.events.durable.claim import Claim
from nexus.events.durable.dialect import Dialect, numbers
from nexus.events.durable.journal import Journal
from nexus.events.durable.records import Records
from nexus.events.log.key import SubscriptionKey

if TYPE_CHECKING:
    from nexus.events.durable.stream import DurableStream

logger = logging.getLogger(__name__)

_GATHER: Final = 0.002
"""Seconds in which requests for leases become one look into the database."""
_LOOK: Final = 0.02
_FIELDS: Final = (
    "s.id, s.plugin, s.pattern, s.worker, s.epoch, s.last_position, s.acknowledged,"
    " COALESCE(w.alive_until > {now}, 1 = 0)"
)


class Claims:
    """The leases of this process.

    Args:
        database: Where the subscriptions are.
        journal: Where the events are.
        records: The subscriptions that there are.
        lease: Seconds that it counts as alive after its last report.
        alone: Whether no other process uses the log, so that any other worker is dead.

    Attributes:
        worker: What this process is called.
    """

    def __init__(
        self, database: Database, journal: Journal, records: Records, *, lease: float, alone: bool
    ) -> None:
        self._database = database
        self._journal = journal
        self._records = records
        self._dialect = Dialect.of(database.engine)
        self._lease = lease
        self._alone = alone
        self._reported = -lease
        self._wanting: dict[DurableStream, asyncio.Future[None]] = {}
        self._held: dict[int, DurableStream] = {}
        self._asked: dict[DurableStream, float] = {}
        self._left_until: dict[DurableStream, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._plugins: Collection[str] | None = None
        self._turn = asyncio.Lock()
        self.worker = f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex}"

    # Being alive

    @property
    def is_alone(self) -> bool:
        """Whether no other process uses the log."""
        return self._alone

    @property
    def patience(self) -> float:
        """Seconds after which it is worth asking again for what another process has."""
        return self._lease / 4

    @property
    def is_current(self) -> bool:
        """Whether others still take this process for alive, as far as it can tell by itself."""
        return self._alone or time.monotonic() - self._reported < self._lease

    async def renew(self, plugins: Collection[str] | None = None) -> None:
        """Tell that this process is alive, and give up what another has taken meanwhile.

        Many may ask for it at once; it is done for all of them together.

        Args:
            plugins: The plugins that it knows; as before by default.
        """
        if plugins is not None:
            self._plugins = tuple(plugins)
        elif self._renewing is not None:
            return await asyncio.shield(self._renewing)
        self._renewing = asyncio.get_running_loop().create_task(
            self._renew_once(), name="nexus.events.renew", context=Context()
        )
        return await asyncio.shield(self._renewing)

    async def _renew_once(self) -> None:
        try:
            await self._renew()
        finally:
            # Not by whoever asked for it, who goes on later: others that come in between would get
            # the answer of before at once, and where that came too late, ask for ever.
            if self._renewing is asyncio.current_task():
                self._renewing = None

    async def _renew(self) -> None:
        async with self._turn:
            began = time.monotonic()
            known = json.dumps(None if self._plugins is None else sorted(self._plugins))
            version = self._records.version
            until = f"{self._dialect.now} + {self._lease:f}"
            changed = await self._database.execute(
                self._dialect(
                    f"UPDATE nexus_workers SET alive_until = {until}, plugins = ?,"  # noqa: S608
                    " version = ? WHERE id = ?"
                ),
                (known, version, self.worker),
            )
            if not changed:
                await self._database.execute(
                    self._dialect(
                        "INSERT INTO nexus_workers (id, alive_until, plugins, version)"  # noqa: S608
                        f" VALUES (?, {until}, ?, ?)"
                    ),
                    (self.worker, known, version),
                )
            await self._compare()
            self._reported = began

    async def _compare(self) -> None:
        """Give up what others have taken, and give back what nobody here works on."""
        rows = await self._database.fetch_all(
            self._dialect("SELECT id, epoch FROM nexus_event_subscriptions WHERE worker = ?"),
            (self.worker,),
        )
        stored = {row[0]: row[1] for row in rows}
        held: dict[int, DurableStream] = {}
        for number, stream in self._held.items():
            claim = stream.claim
            if claim is None or claim.id != number:
                continue
            held[number] = stream
            if stored.pop(number, None) != claim.epoch:
                del held[number]
                stream.lose()
                stream.wake()
        self._held = held
        for number, epoch in stored.items():
            await self._free(number, epoch)

    async def wait_until_known(self, version: int) -> None:
        """Wait until every live process knows at least this version of the subscriptions."""
        if self._alone:
            return
        query = self._dialect(
            "SELECT 1 FROM nexus_workers WHERE id <> ? AND version < ? AND alive_until > {now}"
        )
        while await self._database.fetch_one(query, (self.worker, version)):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)  # other processes set no events here

    async def leave(self) -> None:
        """Tell that this process goes."""
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET worker = NULL, suspect = 0, crashes = 0"
                " WHERE worker = ?"
            ),
            (self.worker,),
        )
        await self._database.execute(
            self._dialect("DELETE FROM nexus_workers WHERE id = ?"), (self.worker,)
        )

    async def known_elsewhere(self) -> set[str] | None:
        """Give the plugins that other live processes know; None while one has not told yet."""
        if self._alone:
            return set()
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT plugins FROM nexus_workers WHERE id <> ? AND alive_until > {now}"
            ),
            (self.worker,),
        )
        told = [json.loads(row[0]) for row in rows]
        if None in told:
            return None
        return {name for names in told for name in names}

    async def forget_the_dead(self) -> None:
        """Remove the rows of workers that are long gone and hold nothing."""
        old = "" if self._alone else f" AND alive_until < {self._dialect.now} - {self._lease * 10}"
        await self._database.execute(
            self._dialect(
                f"DELETE FROM nexus_workers WHERE id <> ?{old}"  # noqa: S608
                " AND id NOT IN (SELECT worker FROM nexus_event_subscriptions"
                " WHERE worker IS NOT NULL)"
            ),
            (self.worker,),
        )

    # Leases

    async def request(self, stream: "DurableStream") -> None:
        """Ask for a subscription, and wait until it is there or somebody has looked in vain.

        All requests of a moment are one look into the database.
        """
        self._asked[stream] = time.monotonic()
        future = self._wanting.get(stream)
        if future is None or future.done():
            future = self._wanting[stream] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._begin_to_grant()
        await future

    def waiting(self) -> list[SubscriptionKey]:
        """Give the subscriptions that are asked for again and again, and that others have."""
        recent = time.monotonic() - 2 * self.patience
        return [
            stream.key
            for stream, asked in self._asked.items()
            if stream.claim is None and asked > recent
        ]

    def leave_to_others(self, stream: "DurableStream") -> None:
        """Do not take a subscription before others have had the time to."""
        self._left_until[stream] = time.monotonic() + 2 * self.patience

    async def close(self) -> None:
        """End what is under way."""
        tasks = {each for each in (self._task, self._renewing) if each is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _grant(self) -> None:
        """Take all that is wanted and free."""
        failed: BaseException | None = None
        await asyncio.sleep(_GATHER)
        wanting, self._wanting = self._wanting, {}
        try:
            async with self._turn:
                await self._take(wanting)
        except BaseException as error:
            failed = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._task = None
            for future in wanting.values():
                if future.done():
                    continue
                if failed is None:
                    future.set_result(None)
                elif isinstance(failed, Exception):
                    future.set_exception(failed)
                else:
                    future.cancel()
        if self._wanting:
            self._begin_to_grant()

    def _begin_to_grant(self) -> None:
        self._task = asyncio.get_running_loop().create_task(
            self._grant(), name="nexus.events.claim", context=Context()
        )

    async def _take(self, wanting: "dict[DurableStream, asyncio.Future[None]]") -> None:
        now = time.monotonic()
        wanted = {
            stream.key: stream for stream in wanting if self._left_until.get(stream, now) <= now
        }
        free = [row for row in await self._rows() if self._is_free(row) and _key(row) in wanted]
        if not free:
            return
        await self._database.execute_many(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET worker = ?, epoch = epoch + 1"
                " WHERE id = ? AND epoch = ?"
            ),
            [(self.worker, row[0], row[4]) for row in free],
        )
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT id, epoch, last_position, acknowledged"  # noqa: S608 - whole numbers
                " FROM nexus_event_subscriptions"
                f" WHERE worker = ? AND id IN {numbers([row[0] for row in free])}"
            ),
            (self.worker,),
        )
        taken = {row[0]: row for row in rows}
        after_death = any(row[3] not in (None, self.worker) for row in free)
        end = await self._journal.end() if after_death else 0
        for row in free:
            found = taken.get(row[0])
            if found is None or found[1] != row[4] + 1:
                continue
            stream = wanted[_key(row)]
            if wanting[stream].done():  # who asked has gone meanwhile
                await self._free(found[0], found[1])
                continue
            claim = Claim(
                id=found[0],
                epoch=found[1],
                cursor=found[2],
                acknowledged=frozenset(json.loads(found[3] or "[]")),
                suspect_until=end if row[3] not in (None, self.worker) else 0,
            )
            self._held[claim.id] = stream
            stream.take(claim)

    async def _rows(self) -> Sequence[Any]:
        return await self._database.fetch_all(
            self._dialect(
                f"SELECT {_FIELDS} FROM nexus_event_subscriptions s"  # noqa: S608
                " LEFT JOIN nexus_workers w ON w.id = s.worker"
            )
        )

    def _is_free(self, row: Sequence[Any]) -> bool:
        worker, is_alive = row[3], bool(row[7])
        return worker is None or worker == self.worker or self._alone or not is_alive

    async def give_back(self, claim: Claim) -> None:
        """Let others have a subscription."""
        await self._free(claim.id, claim.epoch)

    async def _free(self, number: int, epoch: int) -> None:
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET worker = NULL, suspect = 0, crashes = 0"
                " WHERE id = ? AND epoch = ?"
            ),
            (number, epoch),
        )

    async def suspect(self, claim: Claim, position: int) -> int:
        """Note what is in hand after a holder has died; give how often it has been so.

        Where another process has the lease by now, nothing is noted.
        """
        await self._database.execute(
            self._dialect(
                "UPDATE nexus_event_subscriptions SET"
                " crashes = CASE WHEN suspect = ? THEN crashes + 1 ELSE 1 END, suspect = ?"
                " WHERE id = ? AND epoch = ?"
            ),
            (position, position, claim.id, claim.epoch),
        )
        row = await self._database.fetch_one(
            self._dialect("SELECT crashes FROM nexus_event_subscriptions WHERE id = ?"),
            (claim.id,),
        )
        return int(row[0]) if row is not None else 0


def _key(row: Sequence[Any]) -> SubscriptionKey:
    return SubscriptionKey(row[1], row[2])
