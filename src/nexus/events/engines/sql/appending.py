"""Puts rows into the log, on each engine with as few round trips as it takes."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from typing import Any, Final, TypeAlias

from nexus.data.database import Database
from nexus.data.transaction import Transaction
from nexus.events.durable.journal import Placed
from nexus.events.durable.rows import COLUMNS, EventRow, size_of
from nexus.events.engines.sql.channel import CHANNEL

Append: TypeAlias = Callable[[Sequence[EventRow]], Awaitable[Placed]]
"""Puts rows into the log, and tells where they are."""

_NAMES: Final = f"position, before_bytes, {COLUMNS}"
_HEAD: Final = "UPDATE nexus_event_head SET position = position + ?, bytes = bytes + ?"
_SQLITE_HEAD: Final = f"{_HEAD} RETURNING position, bytes"
_SQLITE_ROW: Final = f"INSERT INTO nexus_events ({_NAMES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_MARIADB_ROW: Final = _SQLITE_ROW.replace("?", "%s")
_POSTGRESQL: Final = f"""
    WITH head AS (
        UPDATE nexus_event_head SET position = position + $1, bytes = bytes + $2
        RETURNING position - $1 AS last, bytes - $2 AS before
    ), added AS (
        INSERT INTO nexus_events ({_NAMES})
        SELECT head.last + new.number, head.before + new.offset_bytes, new.id, new.name, new.data,
            new.source, new.time_ns, new.correlation_id, new.causation_id, new.ordering_key,
            new.version
        FROM head, unnest(
            $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
            $9::text[], $10::text[], $11::text[], $12::bigint[]
        ) WITH ORDINALITY AS new (
            offset_bytes, id, name, data, source, time_ns, correlation_id, causation_id,
            ordering_key, version, number
        )
    )
    SELECT last + 1, pg_notify('{CHANNEL}', (last + $1)::text) FROM head
"""  # noqa: S608 - nothing from outside


def appending(database: Database) -> Append:
    """Give what appends with a commit of its own."""
    write = getattr(database, "write", None)
    if write is not None:
        return lambda rows: write(_sqlite(rows))
    if database.engine == "postgresql":

        async def in_one_statement(rows: Sequence[EventRow]) -> Placed:
            row = await database.fetch_one(_POSTGRESQL, _arrays(rows))
            return _from(int(row[0]), rows)

        return in_one_statement

    async def in_one_transaction(rows: Sequence[EventRow]) -> Placed:
        async with database.transaction() as transaction:
            return await append_in(transaction, rows)

    return in_one_transaction


def appending_at_once(
    database: Database,
) -> Callable[[Sequence[EventRow]], Placed | None] | None:
    """Give what appends without leaving the event loop; None where there is no such way.

    It gives None when it might take long, and has done nothing then.
    """
    write = getattr(database, "write_at_once", None)
    return None if write is None else lambda rows: write(_sqlite(rows))


async def append_in(transaction: Transaction, rows: Sequence[EventRow]) -> Placed:
    """Append as a part of a transaction, best its last: others wait for the head until it ends."""
    engine = transaction.database.engine
    if engine == "postgresql":
        row = await transaction.fetch_one(_POSTGRESQL, _arrays(rows))
        return _from(int(row[0]), rows)
    count, size = len(rows), sum(map(size_of, rows))
    if engine == "sqlite":
        last, end = await transaction.fetch_one(_SQLITE_HEAD, (count, size))
        await transaction.execute_many(_SQLITE_ROW, _placed(rows, last - count + 1, end - size))
    else:
        await transaction.execute(_HEAD.replace("?", "%s"), (count, size))
        last, end = await transaction.fetch_one("SELECT position, bytes FROM nexus_event_head")
        await transaction.execute_many(_MARIADB_ROW, _placed(rows, last - count + 1, end - size))
    return _from(int(last) - count + 1, rows)


def _from(first: int, rows: Sequence[EventRow]) -> Placed:
    return first - 1, range(first, first + len(rows))


def _sqlite(rows: Sequence[EventRow]) -> Callable[[sqlite3.Connection], Placed]:
    count, size = len(rows), sum(map(size_of, rows))

    def write(connection: sqlite3.Connection) -> Placed:
        last, end = connection.execute(_SQLITE_HEAD, (count, size)).fetchone()
        first: int = last - count + 1
        if count == 1:
            connection.execute(_SQLITE_ROW, (first, end - size, *rows[0]))
        else:
            connection.executemany(_SQLITE_ROW, _placed(rows, first, end - size))
        return first - 1, range(first, first + count)

    return write


def _placed(rows: Sequence[EventRow], first: int, before: int) -> list[tuple[Any, ...]]:
    placed = []
    for position, row in enumerate(rows, first):
        placed.append((position, before, *row))
        before += size_of(row)
    return placed


def _arrays(rows: Sequence[EventRow]) -> tuple[Any, ...]:
    sizes = [size_of(row) for row in rows]
    total = sum(sizes)
    offsets = [0, *accumulate(sizes[:-1])]
    return (len(rows), total, offsets, *(list(column) for column in zip(*rows, strict=True)))
