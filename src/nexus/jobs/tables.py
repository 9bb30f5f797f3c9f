"""The table of the scheduled jobs, on each engine."""

from typing import Final

from nexus.data.database import Database, EngineName

_LOCK: Final = 0x4E585553_0003
"""PostgreSQL: whoever makes the table holds it ("NXUS", after that of the event log)."""

_TYPES: Final[dict[EngineName, dict[str, str]]] = {
    "sqlite": {
        "number": "INTEGER",
        "word": "TEXT",
        "key": "TEXT",
        "text": "TEXT",
        "real": "REAL",
        "options": "",
    },
    "postgresql": {
        "number": "bigint",
        "word": 'text COLLATE "C"',
        "key": 'text COLLATE "C"',
        "text": "text",
        "real": "double precision",
        "options": "",
    },
    "mariadb": {
        "number": "BIGINT",
        "word": "VARCHAR(255)",
        "key": "VARCHAR(255)",
        "text": "LONGTEXT",
        "real": "DOUBLE",
        "options": "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    },
}

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS nexus_jobs (
        plugin {key} NOT NULL,
        name {key} NOT NULL,
        schedule {text} NOT NULL,
        next_run {real} NOT NULL,
        wanted {real},
        started {real},
        ended {real},
        succeeded {real},
        outcome {word},
        error {text} NOT NULL,
        run {word},
        worker {word},
        lease_until {real} NOT NULL,
        epoch {number} NOT NULL,
        runs {number} NOT NULL,
        failures {number} NOT NULL,
        interruptions {number} NOT NULL,
        crashes {number} NOT NULL,
        PRIMARY KEY (plugin, name)
    ) {options}
"""


async def make_table(database: Database) -> None:
    """Make the table where it is missing; several processes may do it at once."""
    async with database.transaction() as transaction:
        if database.engine == "postgresql":  # where two that make one table get in each other's way
            await transaction.fetch_one("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
        await transaction.execute(_TABLE.format(**_TYPES[database.engine]))
