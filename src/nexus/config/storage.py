"""The application's database, as its settings describe it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database, EngineName, Limits
from nexus.data.engines.opening import make_database
from nexus.errors import BackupRefused

if TYPE_CHECKING:
    from nexus.config.settings import Settings

_TOOLS: Final[dict[EngineName, str]] = {"postgresql": "pg_dump", "mariadb": "mariadb-dump"}


def database_of(settings: "Settings") -> Database:
    """Make the application's database; it is not open yet.

    Raises:
        DatabaseDriverMissing: The driver for this kind of database is not installed.
    """
    wanted = settings.database
    return make_database(
        settings.database_url,
        limits=Limits(
            pool_size=wanted.pool_size,
            pool_timeout=wanted.pool_timeout,
            statement=wanted.statement_timeout,
            transaction=wanted.transaction_timeout,
            slow_query=wanted.slow_query,
        ),
        synchronous=wanted.synchronous,
        busy_timeout=wanted.busy_timeout,
        shared=wanted.shared,
    )


def database_file(settings: "Settings") -> Path:
    """Give the file that a backup copies.

    Raises:
        BackupRefused: The database is on a server.
    """
    if settings.database_path is None:
        raise _on_a_server(settings.database_url.engine, settings.database_url.location)
    return settings.database_path


def backup_of(database: Database) -> Callable[[Path], Awaitable[None]]:
    """Give what writes a consistent copy of a database; for one on a server it refuses."""
    from nexus.data import SqliteDatabase

    if isinstance(database, SqliteDatabase):
        return database.backup

    async def refuse(_target: Path) -> None:
        raise _on_a_server(database.engine, database.location)

    return refuse


def _on_a_server(engine: EngineName, location: str) -> BackupRefused:
    return BackupRefused(
        path=location,
        problem="the database is on a server, which has its own way to be backed up",
        advice=f"Use {_TOOLS[engine]}, or 'nexus data export' for the data of one plugin.",
    )
