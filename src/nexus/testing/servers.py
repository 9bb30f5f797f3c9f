"""Databases on a real server that exist for one test.

    async with temporary_database("postgresql://postgres@127.0.0.1/test") as url:
        ...  # run an application with this URL

The user in the URL has to be allowed to create databases.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from nexus.data.url import parse_url

if TYPE_CHECKING:
    from nexus.data.engines.server.database import ServerDatabase
    from nexus.data.url import DatabaseUrl

_PREFIX: Final = "nexus_test_"
_FORGOTTEN: Final = 3600
"""Seconds after which a database is one that a killed test has left behind."""

_CREATE: Final = {
    "postgresql": "CREATE DATABASE \"{}\" TEMPLATE template0 ENCODING 'UTF8'",
    "mariadb": "CREATE DATABASE `{}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
}
_DROP: Final = {
    "postgresql": 'DROP DATABASE IF EXISTS "{}" WITH (FORCE)',
    "mariadb": "DROP DATABASE IF EXISTS `{}`",
}
_LIST: Final = {
    "postgresql": "SELECT datname FROM pg_database",
    "mariadb": "SELECT schema_name FROM information_schema.schemata",
}
_swept: Final[set[str]] = set()


@asynccontextmanager
async def temporary_database(url: str, *, keep: bool = False) -> AsyncIterator[str]:
    """Make an empty database on a server, and drop it behind the block.

    Databases that tests left behind when they were killed are dropped as well, an hour later.

    Args:
        url: A database on the server, for whose user the new one is made.
        keep: Whether to leave it, as one that a killed test has left.

    Yields:
        The URL of the new database.

    Raises:
        DatabaseUnavailable: The server cannot be reached, or lets the user not in.
        ValueError: It is no URL of a server.
    """
    where = parse_url(url)
    if where.engine == "sqlite":
        message = "an SQLite database needs no server: give the application a path in a new folder"
        raise ValueError(message)
    server = _server(where)
    connection = await server.connect()
    name = f"{_PREFIX}{int(time.time()):x}_{secrets.token_hex(4)}"
    try:
        if where.location not in _swept:
            _swept.add(where.location)
            await _sweep(server, connection)
        await connection.execute(_CREATE[where.engine].format(name), ())
        try:
            yield _renamed(url, name)
        finally:
            if not connection.is_clean:  # the test may have ended every connection
                connection.terminate()
                connection = await server.connect()
            if not keep:
                await connection.execute(_DROP[where.engine].format(name), ())
    finally:
        with suppress(*server.troubles):
            await connection.close()


def _server(url: "DatabaseUrl") -> "ServerDatabase[Any]":
    if url.engine == "postgresql":
        from nexus.data.engines.postgresql.database import PostgresqlDatabase

        return PostgresqlDatabase(url)
    from nexus.data.engines.mariadb.database import MariadbDatabase

    return MariadbDatabase(url)


def _renamed(url: str, name: str) -> str:
    address, _, options = url.partition("?")
    renamed = f"{address.rpartition('/')[0]}/{name}"
    return f"{renamed}?{options}" if options else renamed


async def _sweep(server: "ServerDatabase[Any]", connection: Any) -> None:
    rows = await connection.fetch_all(_LIST[server.engine], ())
    for (name,) in rows:
        if _is_forgotten(name):
            with suppress(*server.troubles):  # somebody else may be sweeping too
                await connection.execute(_DROP[server.engine].format(name), ())


def _is_forgotten(name: str) -> bool:
    if not name.startswith(_PREFIX):
        return False
    try:
        made = int(name.removeprefix(_PREFIX).partition("_")[0], 16)
    except ValueError:
        return False
    return made < time.time() - _FORGOTTEN
