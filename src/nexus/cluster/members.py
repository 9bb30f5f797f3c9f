"""Which processes serve one application: each has a row, and moves its time on.

A process that does not, since it has died, is held, or cannot reach the database, is no member any
longer as soon as its time has passed; others need not wait for it. It finds that out by itself
before it does anything else, and comes back.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from nexus.cluster.outcome import Outcome
from nexus.data.database import Database, EngineName
from nexus.events.durable.dialect import Dialect

MemberState: TypeAlias = Literal["joining", "serving", "leaving"]

_FORGOTTEN_AFTER: Final = 20
"""A row that is so many times the lease too old is removed."""

_LOCK: Final = 0x4E585553_0003
"""PostgreSQL: whoever makes the table holds it ("NXUS", after those of the log)."""

_TYPES: Final[dict[EngineName, dict[str, str]]] = {
    "sqlite": {"key": "TEXT", "real": "REAL", "number": "INTEGER", "text": "TEXT", "options": ""},
    "postgresql": {
        "key": 'text COLLATE "C"',
        "real": "double precision",
        "number": "bigint",
        "text": "text",
        "options": "",
    },
    "mariadb": {
        "key": "VARCHAR(64)",
        "real": "DOUBLE",
        "number": "BIGINT",
        "text": "LONGTEXT",
        "options": "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    },
}
_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS nexus_cluster_workers (
        id {key} PRIMARY KEY,
        alive_until {real} NOT NULL,
        host {text} NOT NULL,
        pid {number} NOT NULL,
        since {text} NOT NULL,
        state {text} NOT NULL,
        acknowledged {number} NOT NULL,
        outcomes {text} NOT NULL
    ) {options}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process, as its row tells.

    Attributes:
        id: What it is called.
        host: The machine.
        pid: The process there.
        since: When it joined, in ISO 8601.
        state: Whether it begins, serves or ends.
        is_alive: Whether its time has not passed.
        acknowledged: It has done everything up to this number of the desired state.
        outcomes: What became of the plugins that were changed while it served.
    """

    id: str
    host: str
    pid: int
    since: str
    state: MemberState
    is_alive: bool
    acknowledged: int
    outcomes: Mapping[str, Outcome]

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{self.host}:{self.pid}"

    @property
    def counts(self) -> bool:
        """Whether others wait for it: it may be serving requests that come from now on."""
        return self.is_alive and self.state != "leaving"

    def has_done(self, plugin: str, number: int) -> bool:
        """Say whether it has done what a change asked for, or tried to."""
        outcome = self.outcomes.get(plugin)
        return self.acknowledged >= number or (outcome is not None and outcome.number >= number)


class Members:
    """The members, and this process as one of them.

    Args:
        database: The application's database.
        lease: Seconds that a process counts as alive after its last report.

    Attributes:
        id: What this process is called.
        state: As in `Member`.
        acknowledged: As in `Member`.
        outcomes: As in `Member`.
    """

    def __init__(self, database: Database, *, lease: float) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._lease = lease
        self._reported = -lease
        self._since = ""
        self.id = str(uuid.uuid4())
        self.state: MemberState = "joining"
        self.acknowledged = -1
        self.outcomes: dict[str, Outcome] = {}

    @property
    def label(self) -> str:
        """The name of this process for people."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @property
    def is_current(self) -> bool:
        """Whether others still count on this process."""
        return time.monotonic() - self._reported < self._lease

    @property
    def is_due(self) -> bool:
        """Whether it is time for another report."""
        return time.monotonic() - self._reported >= self._lease / 3

    async def join(self) -> None:
        """Make the table where it is missing, and become a member."""
        self.state, self.acknowledged = "joining", -1
        self.outcomes.clear()
        self._since = datetime.now(UTC).isoformat()
        await self.open()
        await self.report()

    async def open(self) -> None:
        """Make the table where it is missing; several processes may do it at once."""
        types = _TYPES[self._database.engine]
        async with self._database.transaction() as transaction:
            if self._database.engine == "postgresql":
                await transaction.fetch_one("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
            await transaction.execute(_TABLE.format(**types))

    async def report(self) -> None:
        """Tell that this process is alive, and how far it is."""
        began = time.monotonic()
        until = f"{self._dialect.now} + {self._lease:f}"
        outcomes = {plugin: each.as_json() for plugin, each in self.outcomes.items()}
        values = (self.state, self.acknowledged, json.dumps(outcomes))
        changed = await self._database.execute(
            self._dialect(
                f"UPDATE nexus_cluster_workers SET alive_until = {until}, state = ?,"  # noqa: S608
                " acknowledged = ?, outcomes = ? WHERE id = ?"
            ),
            (*values, self.id),
        )
        if not changed:
            await self._database.execute(
                self._dialect(
                    "INSERT INTO nexus_cluster_workers (alive_until, state, acknowledged,"  # noqa: S608
                    f" outcomes, id, host, pid, since) VALUES ({until}, ?, ?, ?, ?, ?, ?, ?)"
                ),
                (*values, self.id, socket.gethostname(), os.getpid(), self._since),
            )
        self._reported = began

    async def leave(self) -> None:
        """Be no member any longer."""
        if self._reported < 0:
            return  # It never was one, and there may be no table yet.
        await self._database.execute(
            self._dialect("DELETE FROM nexus_cluster_workers WHERE id = ?"), (self.id,)
        )

    async def all(self) -> Sequence[Member]:
        """Give all members, and those that were until a while ago, in the order they joined."""
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT id, host, pid, since, state, alive_until > {now}, acknowledged, outcomes"
                " FROM nexus_cluster_workers ORDER BY since, id"
            )
        )
        return [
            Member(
                id=row[0],
                host=row[1],
                pid=row[2],
                since=row[3],
                state=row[4],
                is_alive=bool(row[5]),
                acknowledged=row[6],
                outcomes={name: Outcome.of(each) for name, each in json.loads(row[7]).items()},
            )
            for row in rows
        ]

    async def forget_the_dead(self) -> None:
        """Remove the rows of processes that have been away for long."""
        oldest = f"{self._dialect.now} - {self._lease * _FORGOTTEN_AFTER:f}"
        await self._database.execute(
            self._dialect(f"DELETE FROM nexus_cluster_workers WHERE alive_until < {oldest}")  # noqa: S608
        )
