"""Makes the database that a URL names; only its engine's code and driver are imported."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nexus.data.database import Database, EngineName, Limits
from nexus.errors import DatabaseDriverMissing

if TYPE_CHECKING:
    from nexus.data.url import DatabaseUrl

_SERVERS: Final[dict[EngineName, tuple[str, str]]] = {
    "postgresql": ("asyncpg", "PostgresqlDatabase"),
    "mariadb": ("asyncmy", "MariadbDatabase"),
}
"""By engine: the module of its driver, and the class in `engines/<engine>/database.py`."""


def make_database(
    url: "DatabaseUrl",
    *,
    limits: Limits,
    synchronous: Literal["normal", "full"] = "normal",
    busy_timeout: float = 5.0,
    shared: bool = False,
) -> Database:
    """Make a database; it is not open yet.

    Args:
        url: Where it is; the path of a file is absolute.
        limits: How many connections there are, and how long things may take.
        synchronous: What a commit survives, for SQLite.
        busy_timeout: Seconds to wait for another process's lock, for SQLite.
        shared: Whether other processes may write too, for SQLite.

    Raises:
        DatabaseDriverMissing: The driver for this kind of database is not installed.
    """
    if url.engine == "sqlite":
        from nexus.data.engines.sqlite.database import SqliteDatabase
        from nexus.data.engines.sqlite.file import SqliteFile

        file = SqliteFile(
            path=Path(url.path),
            synchronous=synchronous,
            busy_timeout=busy_timeout,
            shared=shared,
        )
        return SqliteDatabase(file, limits)
    driver, name = _SERVERS[url.engine]
    if find_spec(driver) is None:
        raise DatabaseDriverMissing(engine=url.engine, driver=driver)
    make: Any = getattr(import_module(f"nexus.data.engines.{url.engine}.database"), name)
    database: Database = make(url, limits)
    return database
