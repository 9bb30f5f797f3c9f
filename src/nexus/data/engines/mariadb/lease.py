"""A lease on MariaDB."""

from collections.abc import Sequence
from typing import Any, Final

from typing_extensions import override

from nexus.data.database import Parameters
from nexus.data.engines.mariadb.connection import MariadbConnection
from nexus.data.engines.mariadb.driver import DriverConnection
from nexus.data.engines.mariadb.errors import DEADLOCK, number
from nexus.data.engines.server.lease import ServerLease
from nexus.errors import NexusError

_SET: Final = "SAVEPOINT nexus_many"
_BACK: Final = "ROLLBACK TO SAVEPOINT nexus_many"
_RELEASE: Final = "RELEASE SAVEPOINT nexus_many"


class MariadbLease(ServerLease[MariadbConnection]):
    """`nexus.data.database.Lease` on MariaDB, where a statement that fails undoes only itself.

    Changes to tables commit what came before them, as the server does; a new transaction begins
    behind them, so that what comes next can be rolled back again.
    """

    begin: str = "START TRANSACTION"

    @property
    @override
    def driver(self) -> Any:
        """What SQLAlchemy takes for a connection of asyncmy."""
        return DriverConnection(self)

    @override
    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement, and give the number of rows it changed."""

        async def execute(
            connection: MariadbConnection, statement: str, parameters: Parameters
        ) -> int:
            changed = await connection.execute(statement, parameters)
            await self.begin_again(connection)
            return changed

        return await self.run(execute, statement, parameters)

    @override
    async def execute_many(self, statement: str, rows: Sequence[Parameters]) -> int:
        """Run a statement for each row: for all of them or for none."""

        async def all_or_none(
            connection: MariadbConnection, statement: str, rows: Sequence[Parameters]
        ) -> int:
            await connection.execute(_SET, ())
            try:
                changed = await connection.execute_many(statement, rows)
            except Exception as error:
                if connection.is_open and number(error) != DEADLOCK:
                    await connection.execute(_BACK, ())
                    await connection.execute(_RELEASE, ())
                raise
            await connection.execute(_RELEASE, ())
            return changed

        return await self.run(all_or_none, statement, rows) if rows else 0

    async def begin_again(self, connection: MariadbConnection) -> None:
        """Begin a transaction where a statement has ended the one that was open."""
        if not connection.is_in_transaction:
            await connection.execute(self.begin, ())

    @override
    async def _begin(self, connection: MariadbConnection) -> None:
        await self.begin_again(connection)

    @override
    def _failed(self, error: BaseException) -> None:
        # The server has rolled back all of it; what came now would be committed one by one.
        if number(error) == DEADLOCK and isinstance(error, Exception):
            lost = self.translated(error)
            self._lost = lost if isinstance(lost, NexusError) else None
