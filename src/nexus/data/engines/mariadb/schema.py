"""The platform's own tables on MariaDB."""

from typing import TYPE_CHECKING, Final

from nexus.data.engines.server.foreign import check_foreign, check_version
from nexus.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from nexus.data.engines.mariadb.connection import MariadbConnection

SCHEMA_VERSION: Final = 1

_PATIENCE: Final = 20
_TABLES: Final = ("nexus_schema", "key_value", "heartbeat")
_OPTIONS: Final = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
# Each of them commits by itself, so the row that says that all of them are there comes last.
_STATEMENTS: Final = (
    f"CREATE TABLE IF NOT EXISTS nexus_schema (version INT PRIMARY KEY) {_OPTIONS}",
    f"""
    CREATE TABLE IF NOT EXISTS key_value (
        scope BINARY(32) NOT NULL,
        namespace VARBINARY(2048) NOT NULL,
        `key` VARBINARY(2048) NOT NULL,
        value LONGBLOB NOT NULL,
        PRIMARY KEY (scope, `key`)
    ) {_OPTIONS}
    """,
    f"CREATE TABLE IF NOT EXISTS heartbeat (id INT PRIMARY KEY, beats BIGINT NOT NULL) {_OPTIONS}",
    "INSERT IGNORE INTO heartbeat VALUES (1, 0)",
    f"INSERT IGNORE INTO nexus_schema VALUES ({SCHEMA_VERSION})",  # noqa: S608 - a number
)


async def make_tables(connection: "MariadbConnection", location: str) -> None:
    """Make the tables, under a lock that another process which does the same waits for.

    Raises:
        DatabaseUnavailable: A newer Nexus made them, or they are somebody else's.
    """
    lock = "LEFT(CONCAT('nexus_schema.', DATABASE()), 64)"
    taken = await connection.fetch_one(f"SELECT GET_LOCK({lock}, {_PATIENCE})", ())
    if taken[0] != 1:
        raise DatabaseUnavailable(
            path=location,
            problem=f"another process has been making its tables for {_PATIENCE} s",
            advice="Find it in SHOW PROCESSLIST and end it.",
            passing=True,
        )
    try:
        await _make(connection, location)
    finally:
        if connection.is_open:
            await connection.fetch_one(f"SELECT RELEASE_LOCK({lock})", ())


async def _make(connection: "MariadbConnection", location: str) -> None:
    rows = await connection.fetch_all(
        "SELECT LOWER(table_name) FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name IN (%s, %s, %s)",
        _TABLES,
    )
    found = {row[0] for row in rows}
    if "nexus_schema" in found:
        (version,) = await connection.fetch_one("SELECT MAX(version) FROM nexus_schema", ())
        check_version(location, version, SCHEMA_VERSION)
        if version == SCHEMA_VERSION:
            return
    else:
        check_foreign(location, found)
    for statement in _STATEMENTS:
        await connection.execute(statement, ())
