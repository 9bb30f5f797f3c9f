"""A lease on PostgreSQL, where a statement that fails spoils its transaction.

So there is a savepoint to go back to before each statement. To need few round trips for it, BEGIN
and the savepoint go together, a savepoint serves until something has been changed, and going back
waits until somebody wants to go on.
"""

from typing import Any, Final

from typing_extensions import override

from nexus.data.database import ANEW, Parameters
from nexus.data.engines.postgresql.connection import PostgresqlConnection
from nexus.data.engines.postgresql.driver import DriverConnection
from nexus.data.engines.postgresql.reading import only_reads
from nexus.data.engines.server.connection import RowStream
from nexus.data.engines.server.lease import ServerLease
from nexus.data.transaction import to_the_end
from nexus.errors import TransactionLost

_SET: Final = "SAVEPOINT nexus_statement"
_RELEASE: Final = "RELEASE SAVEPOINT nexus_statement"
_BACK: Final = "ROLLBACK TO SAVEPOINT nexus_statement"


class PostgresqlLease(ServerLease[PostgresqlConnection]):
    """`nexus.data.database.Lease` on PostgreSQL; the transaction begins with the first statement.

    Attributes:
        begin: The statement that begins it.
    """

    begin: str = "BEGIN"
    _has_begun = False
    _has_savepoint = False
    _is_fresh = False  # nothing was changed since the savepoint
    _is_broken = False  # a statement failed since the savepoint

    @property
    @override
    def driver(self) -> Any:
        """What SQLAlchemy takes for a connection of asyncpg."""
        return DriverConnection(self)

    @override
    async def control(self, statement: str, *, translates: bool = True) -> None:
        """Run a statement about savepoints, outside the one that is kept for statements."""
        if statement == ANEW:
            await self._begin_anew()
            return

        async def control(connection: PostgresqlConnection, text: str, _: Any) -> None:
            # Going back to an outer savepoint ends inner ones, whatever state they are in.
            before = [] if text.startswith("ROLLBACK TO") else self._without_savepoint()
            await to_the_end(self._set(connection, *self._beginning(), *before, text, _SET))

        await self.run(control, statement, None, is_guarded=False, translates=translates)

    @override
    async def _before(self) -> None:
        if self._is_broken:
            await to_the_end(self._set(self.connection, _BACK))
        elif not self._is_fresh:
            release = [_RELEASE] if self._has_savepoint else []
            await to_the_end(self._set(self.connection, *self._beginning(), *release, _SET))

    @override
    def _after(self, statement: str) -> None:
        self._is_fresh = self._is_fresh and only_reads(statement)

    @override
    def _failed(self, error: BaseException) -> None:
        self._is_broken = self._has_savepoint

    @override
    async def _open_stream(
        self, connection: PostgresqlConnection, query: str, parameters: Parameters
    ) -> RowStream:
        rows = await connection.open_stream(query, parameters)
        await self.keep_portal(connection)
        return rows

    async def keep_portal(self, connection: PostgresqlConnection) -> None:
        """End the savepoint for statements, with which the portal would go that was just opened."""
        await to_the_end(self._unset(connection))

    @override
    async def _begin(self, connection: PostgresqlConnection) -> None:
        # With the next statement, as the first time.
        self._has_begun = self._has_savepoint = self._is_fresh = self._is_broken = False

    @override
    async def _commit(self) -> None:
        if not self._has_begun:
            return
        back = [_BACK] if self._is_broken and self._has_savepoint else []
        if await self.connection.control(*back, "COMMIT") != "COMMIT":
            raise TransactionLost

    def _beginning(self) -> list[str]:
        return [] if self._has_begun else [self.begin]

    def _without_savepoint(self) -> list[str]:
        if not self._has_savepoint:
            return []
        return [_BACK, _RELEASE] if self._is_broken else [_RELEASE]

    async def _set(self, connection: PostgresqlConnection, *statements: str) -> None:
        await connection.control(*statements)
        self._has_begun = self._has_savepoint = self._is_fresh = True
        self._is_broken = False

    async def _unset(self, connection: PostgresqlConnection) -> None:
        await connection.control(_RELEASE)
        self._has_savepoint = self._is_fresh = False
