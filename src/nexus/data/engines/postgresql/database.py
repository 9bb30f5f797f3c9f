"""A PostgreSQL database, over connections of asyncpg."""

from typing import Any, ClassVar, Final, Literal

import asyncpg  # type: ignore[import-untyped]  # it has none
from typing_extensions import override

from nexus.data.engines.postgresql.connection import PostgresqlConnection
from nexus.data.engines.postgresql.errors import (
    COLLISIONS,
    TROUBLES,
    is_refusal,
    not_let_in,
    translated,
    unusable,
)
from nexus.data.engines.postgresql.lease import PostgresqlLease
from nexus.data.engines.postgresql.schema import make_tables
from nexus.data.engines.server.database import ServerDatabase
from nexus.data.engines.server.pool import ConnectionPool
from nexus.data.engines.server.tls import check_roots, client_context
from nexus.errors import DatabaseUnavailable

_CHECKS_CLIENT: Final = (14, 0)


class PostgresqlDatabase(ServerDatabase[PostgresqlConnection]):
    """`nexus.data.database.Database` on PostgreSQL 12 and later; statements have `$1`.

    A session has READ COMMITTED isolation and UTC, and the server ends statements at their limit
    by itself. From version 14 on it also notices within a second that a client has gone, so that a
    killed process leaves no locks behind.
    """

    connection_type = PostgresqlConnection
    troubles: ClassVar[tuple[type[Exception], ...]] = TROUBLES
    heartbeat: ClassVar[tuple[str, str]] = (
        "UPDATE heartbeat SET beats = beats + 1",
        "SELECT beats FROM heartbeat",
    )

    @property
    @override
    def engine(self) -> Literal["postgresql"]:
        """The kind of database."""
        return "postgresql"

    @override
    async def connect(self) -> PostgresqlConnection:
        """Make a connection of the caller's own."""
        try:
            raw = await self._reach(self.limits.pool_timeout)
            try:
                await raw.execute(self._session(raw))
            except BaseException:
                raw.terminate()
                raise
        except TROUBLES as error:
            raise not_let_in(error, self.url, statement_limit=self.limits.statement) from error
        return PostgresqlConnection(raw)

    async def _reach(self, patience: float) -> asyncpg.Connection:
        url = self.url
        tls: Any = url.tls
        check_roots(url)
        if tls in {"require", "verify-full"}:
            tls = client_context(url)
        connection: asyncpg.Connection = await asyncpg.connect(
            host=url.host,
            port=url.port,
            user=url.user or None,
            password=url.password or None,
            database=url.database,
            timeout=patience,
            ssl=tls,
            statement_cache_size=500,
            max_cached_statement_lifetime=0,
            server_settings={"application_name": "nexus"},
        )
        return connection

    def _session(self, raw: asyncpg.Connection) -> str:
        settings = {
            "statement_timeout": max(1, int(self.limits.statement * 1000)),
            "default_transaction_isolation": "'read committed'",
            "default_transaction_read_only": "off",
            "timezone": "'UTC'",
        }
        if raw.get_server_version()[:2] >= _CHECKS_CLIENT:
            settings["client_connection_check_interval"] = 1000
        return ";".join(f"SET {name} = {value}" for name, value in settings.items())

    @override
    async def _is_alive(self) -> bool:
        try:
            raw = await self._reach(self.limits.pool_timeout)
        except TROUBLES as error:
            return is_refusal(error)
        except DatabaseUnavailable:
            return True  # nobody can be asked: a file for it has gone
        raw.terminate()
        return True

    @override
    async def _make_tables(self, connection: PostgresqlConnection) -> None:
        await make_tables(connection.raw, self.location)

    @override
    async def _lease(
        self,
        connection: PostgresqlConnection,
        pool: ConnectionPool[PostgresqlConnection],
        *,
        read_only: bool,
    ) -> PostgresqlLease:
        lease = PostgresqlLease(connection, pool, self._meter, self._translated)
        if read_only:
            lease.begin = "BEGIN READ ONLY"
        return lease

    @override
    def _translated(self, error: Exception) -> Exception:
        return translated(error, self.url, statement_limit=self.limits.statement)

    @override
    def _unusable(self, error: Exception) -> Exception:
        return unusable(error, self.url, statement_limit=self.limits.statement)

    @override
    def _has_collided(self, error: Exception) -> bool:
        return isinstance(error, COLLISIONS)
