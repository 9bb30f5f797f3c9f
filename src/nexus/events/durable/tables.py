"""What the durable log keeps in the application's database, whatever engine has the events.

`nexus_event_head` has one row. Its `version` is raised with every change of what is subscribed to,
and `nexus_workers` has the version that each process knows: whoever declares a subscription waits
until all do. The rest of the row is for the journal in the same database.
"""

from collections.abc import Sequence
from typing import Final

from nexus.data.database import Database, EngineName

_LOCK: Final = 0x4E585553_0002
"""PostgreSQL: whoever makes the tables holds it ("NXUS", after that of the database's own)."""

_TYPES: Final[dict[EngineName, dict[str, str]]] = {
    "sqlite": {
        "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",  # a number is never given again
        "number": "INTEGER",
        "word": "TEXT",
        "key": "TEXT",
        "text": "TEXT",
        "real": "REAL",
        "insert_once": "INSERT",  # nobody else writes meanwhile
        "options": "",
    },
    "postgresql": {
        "serial": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "number": "bigint",
        "word": 'text COLLATE "C"',
        "key": 'text COLLATE "C"',
        "text": "text",
        "real": "double precision",
        "insert_once": "INSERT",  # behind the lock
        "options": "",
    },
    "mariadb": {
        "serial": "BIGINT AUTO_INCREMENT PRIMARY KEY",
        "number": "BIGINT",
        "word": "VARCHAR(255)",
        "key": "VARCHAR(255)",
        "text": "LONGTEXT",
        "real": "DOUBLE",
        "insert_once": "INSERT IGNORE",
        "options": "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    },
}

_STATEMENTS: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_event_head (
        id {number} PRIMARY KEY,
        position {number} NOT NULL,
        bytes {number} NOT NULL,
        version {number} NOT NULL
    ) {options}
    """,
    """
    {insert_once} INTO nexus_event_head (id, position, bytes, version)
    SELECT 1, 0, 0, 0 FROM (SELECT 1 AS one) AS once
    WHERE NOT EXISTS (SELECT 1 FROM nexus_event_head)
    """,
    """
    CREATE TABLE IF NOT EXISTS nexus_event_subscriptions (
        id {serial},
        plugin {key} NOT NULL,
        pattern {key} NOT NULL,
        last_position {number} NOT NULL,
        acknowledged {text} NOT NULL,
        worker {word},
        epoch {number} NOT NULL,
        suspect {number} NOT NULL,
        crashes {number} NOT NULL,
        disabled_ns {number},
        UNIQUE (plugin, pattern)
    ) {options}
    """,
    """
    CREATE TABLE IF NOT EXISTS nexus_event_letters (
        id {key} PRIMARY KEY,
        plugin {word} NOT NULL,
        pattern {word} NOT NULL,
        event_id {word} NOT NULL,
        name {word} NOT NULL,
        data {text} NOT NULL,
        source {word} NOT NULL,
        time_ns {number} NOT NULL,
        correlation_id {word},
        causation_id {word},
        ordering_key {text},
        version {number},
        reason {word} NOT NULL,
        error {text} NOT NULL,
        traceback {text} NOT NULL,
        attempts {number} NOT NULL,
        buried_ns {number} NOT NULL,
        state {word} NOT NULL
    ) {options}
    """,
    """
    CREATE TABLE IF NOT EXISTS nexus_workers (
        id {key} PRIMARY KEY,
        alive_until {real} NOT NULL,
        plugins {text} NOT NULL,
        version {number} NOT NULL
    ) {options}
    """,
)


LOCK_HEAD: Final = "UPDATE nexus_event_head SET version = version"
"""Locks the head until the end of a transaction."""


async def make_tables(database: Database, statements: Sequence[str] = _STATEMENTS) -> None:
    """Make the tables that are missing; several processes may do it at once.

    Args:
        database: Where.
        statements: What makes them, with the names of `_TYPES` for what the engines differ in.
    """
    types = _TYPES[database.engine]
    async with database.transaction() as transaction:
        if database.engine == "postgresql":  # where two that make one table get in each other's way
            await transaction.fetch_one("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
        for statement in statements:
            await transaction.execute(statement.format(**types))
