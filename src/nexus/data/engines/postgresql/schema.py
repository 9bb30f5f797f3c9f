"""The platform's own tables on PostgreSQL."""

from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has none

from nexus.data.engines.server.foreign import check_foreign, check_version

SCHEMA_VERSION: Final = 1

_LOCK: Final = 0x4E585553_0001  # "NXUS"; whoever makes the tables holds it
_TABLES: Final = ("nexus_schema", "key_value", "heartbeat")
_STATEMENTS: Final = f"""
    CREATE TABLE nexus_schema (version integer NOT NULL);
    INSERT INTO nexus_schema VALUES ({SCHEMA_VERSION});
    CREATE TABLE key_value (
        scope bytea NOT NULL,
        namespace text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        value bytea NOT NULL,
        PRIMARY KEY (scope, key)
    );
    CREATE TABLE heartbeat (id integer PRIMARY KEY CHECK (id = 1), beats bigint NOT NULL);
    INSERT INTO heartbeat VALUES (1, 0);
"""  # noqa: S608 - a number


async def make_tables(connection: asyncpg.Connection, location: str) -> None:
    """Make the tables in one transaction, which waits for another process that does the same.

    Raises:
        DatabaseUnavailable: A newer Nexus made them, or they are somebody else's.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        rows = await connection.fetch(
            "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
            list(_TABLES),
        )
        found = {row["name"] for row in rows}
        if "nexus_schema" in found:
            check_version(
                location,
                await connection.fetchval("SELECT max(version) FROM nexus_schema"),
                SCHEMA_VERSION,
            )
            return
        check_foreign(location, found)
        await connection.execute(_STATEMENTS)
