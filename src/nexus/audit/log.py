"""The audit log: who has changed what, from where, and what was there before.

Whoever changes something writes a row for it. There are two ways:

    async with database.transaction():          # the row is there if and only if the change is
        await audit.write("user.create", after={"name": "ann"})
        ...

    async with audit.change("data.purge", plugin="shop", irreversible=True) as change:
        removed = await purge()                  # a change that is no transaction
        change.after = {"values": removed}

Both have written the row when they return, so that whoever answers after them answers for
something that is on record. Who it was is taken from the context (`acting`), and so is the id of
the request. Values never hold a secret: `clean` takes out those that the process knows, and
whoever has another one masks it before. Rows are never changed; old ones go by `audit.retention`.
"""

import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from nexus.audit.actor import Actor, current_actor
from nexus.audit.entry import AuditEntry, AuditQuery, Result
from nexus.audit.tables import make_table
from nexus.data.database import Database
from nexus.errors import NexusError
from nexus.events.durable.dialect import Dialect
from nexus.observability.request_id import current_request_id

_COLUMNS: Final = "moment, actor, address, worker, action, result, plugin, was, became, request_id"
_INSERT: Final = f"INSERT INTO nexus_audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_LONGEST: Final = 255


@dataclass(slots=True)
class Change:
    """A change that is under way.

    Attributes:
        before: What was, as JSON data.
        after: What is now, as JSON data.
    """

    before: Any = None
    after: Any = None


def this_worker() -> str:
    """Give what this process is called in the audit log."""
    return f"{socket.gethostname()[:200]}:{os.getpid()}"


class AuditLog:
    """The rows of `nexus_audit`.

    Every method raises `DatabaseUnavailable` when the database cannot be reached, so that no
    change goes unrecorded.

    Args:
        database: Where they are.
        clean: Copies a value into JSON data without the secrets that the process knows.
    """

    def __init__(self, database: Database, clean: Callable[[Any], Any]) -> None:
        self._database = database
        self._sql = Dialect.of(database.engine)
        self._clean = clean

    async def open(self) -> None:
        """Make the table where it is missing."""
        await make_table(self._database)

    async def write(
        self,
        action: str,
        *,
        plugin: str = "",
        before: Any = None,
        after: Any = None,
        result: Result = "done",
        actor: Actor | None = None,
    ) -> None:
        """Write a row, in the transaction that is open or in one of its own.

        Args:
            action: What was done, such as `plugin.enable`.
            plugin: Which plugin it concerns; empty for none.
            before: What was; anything that JSON can carry, secrets masked.
            after: What is now.
            result: What came of it.
            actor: Who did it; by default who is at work in this context.
        """
        who = actor or current_actor()
        words = (who.name, who.address, this_worker(), action, result, plugin)
        request_id = current_request_id.get() or ""
        await self._database.execute(
            self._sql(_INSERT),
            (
                time.time(),
                *(_word(each) for each in words),
                self._text(before),
                self._text(after),
                _word(str(self._clean(request_id))),
            ),
        )

    @asynccontextmanager
    async def change(
        self, action: str, *, plugin: str = "", before: Any = None, irreversible: bool = False
    ) -> AsyncIterator[Change]:
        """Write a row when the block has ended: done, or refused where it raises a `NexusError`.

        Args:
            action: What is done.
            plugin: Which plugin it concerns.
            before: What was.
            irreversible: Whether to write a row `begun` as well before the block, so that even a
                process that is killed in it leaves one.
        """
        under_way = Change(before=before)
        if irreversible:
            await self.write(action, plugin=plugin, before=before, result="begun")
        try:
            yield under_way
        except NexusError as error:
            reason = {"code": error.code, "reason": str(error)}
            await self.write(
                action, plugin=plugin, before=under_way.before, after=reason, result="refused"
            )
            raise
        await self.write(action, plugin=plugin, before=under_way.before, after=under_way.after)

    async def read(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """Give rows, newest first."""
        conditions, values = _conditions(query)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = await self._database.fetch_all(
            self._sql(
                f"SELECT id, {_COLUMNS} FROM nexus_audit {where}"  # noqa: S608
                f" ORDER BY id DESC LIMIT {int(query.limit)}"
            ),
            values,
        )
        return [_entry(row) for row in rows]

    async def forget(self, before: float) -> int:
        """Remove rows that are older than a time in seconds since the epoch; give their number."""
        return await self._database.execute(
            self._sql("DELETE FROM nexus_audit WHERE moment < ?"), (before,)
        )

    def _text(self, value: Any) -> str:
        return json.dumps(self._clean(value), ensure_ascii=True, allow_nan=False)


def _word(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_LONGEST]


def _conditions(query: AuditQuery) -> tuple[list[str], list[Any]]:
    found: list[tuple[str, Any]] = [
        ("plugin = ?", query.plugin),
        ("actor = ?", query.actor),
        ("moment >= ?", query.since),
        ("id < ?", query.before),
    ]
    action = query.action
    if action is not None and action.endswith("*"):
        # Between two words, since LIKE means another thing on each engine.
        found += [("action >= ?", action[:-1]), ("action < ?", action[:-1] + "\U0010ffff")]
    else:
        found.append(("action = ?", action))
    given = [(condition, value) for condition, value in found if value is not None]
    return [condition for condition, _ in given], [value for _, value in given]


def _entry(row: Sequence[Any]) -> AuditEntry:
    number, moment, actor, address, worker, action, result, plugin, was, became, request_id = row
    return AuditEntry(
        id=int(number),
        time=float(moment),
        actor=actor,
        address=address,
        worker=worker,
        action=action,
        result=result,
        plugin=plugin,
        before=json.loads(was),
        after=json.loads(became),
        request_id=request_id,
    )
