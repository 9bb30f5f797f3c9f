"""A MariaDB or MySQL database, over connections of asyncmy."""

import asyncio
import stat
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from asyncmy.constants.CLIENT import FOUND_ROWS
from typing_extensions import override

from nexus.data.database import DEFAULT_LIMITS, Limits
from nexus.data.engines.mariadb.connection import MariadbConnection
from nexus.data.engines.mariadb.errors import (
    DEADLOCK,
    TROUBLES,
    is_refusal,
    not_let_in,
    number,
    translated,
    unusable,
)
from nexus.data.engines.mariadb.killer import ThreadKiller
from nexus.data.engines.mariadb.lease import MariadbLease
from nexus.data.engines.mariadb.raw import RawConnection
from nexus.data.engines.mariadb.schema import make_tables
from nexus.data.engines.server.database import ServerDatabase
from nexus.data.engines.server.pool import ConnectionPool
from nexus.data.engines.server.tls import client_context
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable

_READER_PATIENCE: Final = 3600
"""Seconds that the server waits for whoever reads a stream; its own minute is soon over."""
_MODES: Final = (
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"
)


class MariadbDatabase(ServerDatabase[MariadbConnection]):
    """`nexus.data.database.Database` on MariaDB 10.6 and MySQL 8 and later; statements have `%s`.

    A session has READ COMMITTED isolation, UTC, utf8mb4 and a strict mode in which a backslash is
    an escape. An UPDATE counts the rows it found, changed or not. Statements that change tables
    commit by themselves: a transaction cannot take them back, and ends with them.
    """

    connection_type = MariadbConnection
    troubles: ClassVar[tuple[type[Exception], ...]] = TROUBLES
    heartbeat: ClassVar[tuple[str, str]] = (
        "UPDATE heartbeat SET beats = beats + 1 WHERE id = 1",
        "SELECT beats FROM heartbeat",
    )

    def __init__(self, url: DatabaseUrl, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(url, limits)
        self._killer = ThreadKiller(self._reach)

    @override
    async def close(self) -> None:
        """Wait for what is under way and close all connections; later calls are refused."""
        await super().close()
        await self._killer.close()

    @property
    @override
    def engine(self) -> Literal["mariadb"]:
        """The kind of database."""
        return "mariadb"

    @override
    async def connect(self) -> MariadbConnection:
        """Make a connection of the caller's own."""
        try:
            raw = await self._reach()
            try:
                return await self._with_session(raw)
            except BaseException:
                raw.abort()
                raise
        except TROUBLES as error:
            raise not_let_in(error, self.url, statement_limit=self.limits.statement) from error

    async def _reach(self) -> RawConnection:
        url = self.url
        where: dict[str, Any] = {"host": url.host, "port": url.port}
        if url.host.startswith("/"):
            where = {"unix_socket": _socket(url.host)}
        raw = RawConnection(
            user=url.user or None,
            password=url.password.encode(),
            database=url.database,
            charset="utf8mb4",
            autocommit=None,
            client_flag=FOUND_ROWS,
            ssl=None if url.tls == "disable" or "host" not in where else client_context(url),
            program_name="nexus",
            **where,
        )
        raw.wants_tls = url.tls in {"require", "verify-full"}
        try:
            async with asyncio.timeout(self.limits.pool_timeout):
                await raw.connect()
        except BaseException:
            raw.abort()
            raise
        return raw

    async def _with_session(self, raw: RawConnection) -> MariadbConnection:
        limit = self.limits.statement
        if "MariaDB" in raw.get_server_info():
            statement_limit = f"max_statement_time = {limit:f}"
        else:
            statement_limit = f"max_execution_time = {max(1, int(limit * 1000))}"
        await raw.query(
            f"SET NAMES utf8mb4, autocommit = 1, sql_mode = '{_MODES}', time_zone = '+00:00',"
            f" {statement_limit}, net_write_timeout = {_READER_PATIENCE}"
        )
        await raw.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
        await raw.query("SELECT CONNECTION_ID(), @@max_allowed_packet")
        [(thread, largest)] = raw.result.rows
        return MariadbConnection(
            raw, thread=thread, largest=largest, limit=limit, kill=self._killer.kill
        )

    @override
    async def _is_alive(self) -> bool:
        try:
            raw = await self._reach()
        except TROUBLES as error:
            return is_refusal(error)
        except DatabaseUnavailable:
            return True  # nobody can be asked: a file for it has gone
        raw.abort()
        return True

    @override
    async def _make_tables(self, connection: MariadbConnection) -> None:
        await make_tables(connection, self.location)

    @override
    async def _lease(
        self,
        connection: MariadbConnection,
        pool: ConnectionPool[MariadbConnection],
        *,
        read_only: bool,
    ) -> MariadbLease:
        lease = MariadbLease(connection, pool, self._meter, self._translated)
        if read_only:
            lease.begin = "START TRANSACTION READ ONLY"
        await connection.execute(lease.begin, ())
        return lease

    @override
    def _translated(self, error: Exception) -> Exception:
        return translated(error, self.url, statement_limit=self.limits.statement)

    @override
    def _unusable(self, error: Exception) -> Exception:
        return unusable(error, self.url, statement_limit=self.limits.statement)

    @override
    def _has_collided(self, error: Exception) -> bool:
        return number(error) == DEADLOCK


def _socket(path: str) -> str:
    """Give the socket's file; a folder holds it under its usual name."""
    place = Path(path)
    try:
        is_folder = stat.S_ISDIR(place.stat().st_mode)
    except OSError:
        return path
    return str(place / "mysqld.sock") if is_folder else path
