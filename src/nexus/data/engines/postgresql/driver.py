"""What SQLAlchemy's asyncpg dialect takes for a connection, on a lease of ours.

A session then works in the same transaction as collections and key-value data. Only what the
dialect calls is here (SQLAlchemy 2.1, `dialects/postgresql/asyncpg.py`, `connectors/asyncio.py`).
What SQLAlchemy takes for its transaction is a savepoint in ours.
"""

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import asyncpg  # type: ignore[import-untyped]  # it has none

from nexus.data.engines.postgresql.connection import PostgresqlConnection

if TYPE_CHECKING:
    from nexus.data.engines.postgresql.lease import PostgresqlLease

_JSON: Final = {"json": b"", "jsonb": b"\x01"}
"""The types that the dialect wants to decode itself, and what their binary form begins with."""

_SAVEPOINTS: Final = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) ")
_numbers: Final = count(1)


class DriverConnection:
    """A connection with a transaction that is not SQLAlchemy's to begin or to end."""

    def __init__(self, lease: "PostgresqlLease") -> None:
        self._lease = lease
        self._decoders: dict[str, Callable[[bytes], Any]] = {}

    def transaction(
        self,
        *,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> "DriverTransaction":
        """Give a savepoint; how the transaction around it is has been decided before."""
        del isolation, readonly, deferrable
        return DriverTransaction(self._lease)

    async def prepare(
        self, query: str, *, name: str | None = None
    ) -> "DriverStatement | SavepointStatement":
        """Have the server prepare a statement."""
        del name
        if _SAVEPOINTS.match(query):
            return SavepointStatement(self._lease, query)

        async def prepare(connection: PostgresqlConnection, text: str, _: Any) -> Any:
            return await connection.prepare(text)

        statement = await self._lease.run(prepare, query, None, is_query=False, translates=False)
        return DriverStatement(self._lease, query, statement, self._decoders)

    async def executemany(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row."""

        async def execute(connection: PostgresqlConnection, text: str, _: Any) -> None:
            await connection.raw.executemany(text, rows)

        await self._lease.run(execute, query, None, translates=False)

    async def fetchrow(self, query: str) -> Any:
        """Give the first row; SQLAlchemy pings with it."""

        async def fetch(connection: PostgresqlConnection, text: str, _: Any) -> Any:
            return await connection.raw.fetchrow(text)

        return await self._lease.run(fetch, query, None, translates=False)

    async def set_type_codec(
        self, typename: str, *, decoder: Callable[[bytes], Any], **_: Any
    ) -> None:
        """Remember how to decode a type; the connection's other users get it as it is."""
        if typename in _JSON:
            self._decoders[typename] = decoder

    async def reload_schema_state(self) -> None:
        """Forget what was prepared before tables were changed."""

        async def forget(connection: PostgresqlConnection, _text: str, _: Any) -> None:
            connection.prepared.clear()
            await connection.raw.reload_schema_state()

        await self._lease.run(forget, "", None, is_query=False, translates=False)

    def is_closed(self) -> bool:
        """Tell whether it is of no use any more."""
        return bool(self._lease.connection.raw.is_closed())

    async def close(self, timeout: float | None = None) -> None:
        """Leave it to the lease."""

    def terminate(self) -> None:
        """Leave it to the lease."""


class DriverTransaction:
    """What SQLAlchemy takes for a transaction of asyncpg."""

    def __init__(self, lease: "PostgresqlLease") -> None:
        self._lease = lease
        self._name = f"nexus_part_{next(_numbers)}"

    async def start(self) -> None:
        """Set the savepoint."""
        await self._lease.control(f"SAVEPOINT {self._name}", translates=False)

    async def commit(self) -> None:
        """Keep what was done since; the lease's owner commits it."""
        await self._lease.control(f"RELEASE SAVEPOINT {self._name}", translates=False)

    async def rollback(self) -> None:
        """Undo what was done since."""
        if self._lease.is_over:  # SQLAlchemy puts a session away when its block has ended
            return
        await self._lease.control(f"ROLLBACK TO SAVEPOINT {self._name}", translates=False)
        await self._lease.control(f"RELEASE SAVEPOINT {self._name}", translates=False)


class SavepointStatement:
    """A statement about a savepoint of SQLAlchemy's, which must not be set inside one of ours."""

    def __init__(self, lease: "PostgresqlLease", statement: str) -> None:
        self._lease = lease
        self._statement = statement

    def get_attributes(self) -> tuple[()]:
        """Tell that there are no columns."""
        return ()

    def get_statusmsg(self) -> str:
        """Give what the server says about such a statement."""
        return self._statement.split(maxsplit=1)[0]

    async def fetch(self) -> Sequence[Any]:
        """Run it; there are no rows."""
        await self._lease.control(self._statement, translates=False)
        return ()


class DriverStatement:
    """A prepared statement whose work is done under the lease."""

    def __init__(
        self,
        lease: "PostgresqlLease",
        query: str,
        statement: Any,
        decoders: dict[str, Callable[[bytes], Any]],
    ) -> None:
        self._lease = lease
        self._query = query
        self._statement = statement
        self._decode = _decoding(statement, decoders)
        self._status = ""

    def get_attributes(self) -> Any:
        """Describe the columns."""
        return self._statement.get_attributes()

    def get_statusmsg(self) -> str:
        """Give what the server said about the last execution."""
        return self._status

    async def fetch(self, *parameters: Any) -> Sequence[Any]:
        """Run it, and give all rows."""

        async def fetch(connection: PostgresqlConnection, _text: str, _: Any) -> Sequence[Any]:
            try:
                rows: Sequence[Any] = await self._statement.fetch(*parameters)
            except asyncpg.InvalidCachedStatementError:
                connection.prepared.clear()  # a table has been changed meanwhile
                raise
            self._status = self._statement.get_statusmsg()
            return rows

        return self._decode(await self._lease.run(fetch, self._query, None, translates=False))

    async def cursor(self, *parameters: Any) -> "DriverCursor":
        """Run it, and give a cursor over the rows."""

        async def open_cursor(connection: PostgresqlConnection, _text: str, _: Any) -> Any:
            cursor = await self._statement.cursor(*parameters)
            await self._lease.keep_portal(connection)
            return cursor

        cursor = await self._lease.run(open_cursor, self._query, None, translates=False)
        return DriverCursor(self._lease, self._query, cursor, self._decode)


class DriverCursor:
    """A cursor whose work is done under the lease."""

    def __init__(
        self,
        lease: "PostgresqlLease",
        query: str,
        cursor: Any,
        decode: Callable[[Sequence[Any]], Sequence[Any]],
    ) -> None:
        self._lease = lease
        self._query = query
        self._cursor = cursor
        self._decode = decode

    async def fetch(self, size: int) -> Sequence[Any]:
        """Give up to so many of the rows that follow."""

        async def fetch(_connection: PostgresqlConnection, _text: str, _: Any) -> Any:
            return await self._cursor.fetch(size)

        return self._decode(await self._lease.run(fetch, self._query, None, translates=False))


def _decoding(
    statement: Any, decoders: dict[str, Callable[[bytes], Any]]
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Give what decodes the JSON in a statement's rows; for most of them that is nothing."""
    names = [each.type.name for each in statement.get_attributes()]
    places = {at: name for at, name in enumerate(names) if name in decoders}
    if not places:
        return _as_they_are

    def decode(rows: Sequence[Any]) -> Sequence[Any]:
        decoded: list[tuple[Any, ...]] = []
        for row in rows:
            values = list(row)
            for at, name in places.items():
                if values[at] is not None:
                    values[at] = decoders[name](_JSON[name] + values[at].encode())
            decoded.append(tuple(values))
        return decoded

    return decode


def _as_they_are(rows: Sequence[Any]) -> Sequence[Any]:
    return rows
