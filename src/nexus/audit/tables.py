"""The table of the audit log, on each engine."""

from typing import Final

from nexus.data.database import Database, EngineName

_LOCK: Final = 0x4E585553_0006
"""PostgreSQL: whoever makes the table holds it ("NXUS", and a number that no other table has)."""

_TYPES: Final[dict[EngineName, dict[str, str]]] = {
    "sqlite": {
        "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",  # a number is never given again
        "word": "TEXT",
        "text": "TEXT",
        "real": "REAL",
        "options": "",
    },
    "postgresql": {
        "serial": "bigserial PRIMARY KEY",
        "word": 'text COLLATE "C"',
        "text": "text",
        "real": "double precision",
        "options": "",
    },
    "mariadb": {
        "serial": "BIGINT AUTO_INCREMENT PRIMARY KEY",
        "word": "VARCHAR(255)",
        "text": "LONGTEXT",
        "real": "DOUBLE",
        "options": "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    },
}

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS nexus_audit (
        id {serial},
        moment {real} NOT NULL,
        actor {word} NOT NULL,
        address {word} NOT NULL,
        worker {word} NOT NULL,
        action {word} NOT NULL,
        result {word} NOT NULL,
        plugin {word} NOT NULL,
        was {text} NOT NULL,
        became {text} NOT NULL,
        request_id {word} NOT NULL
    ) {options}
"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS nexus_audit_by_moment ON nexus_audit (moment)"


async def make_table(database: Database) -> None:
    """Make the table where it is missing; several processes may do it at once."""
    async with database.transaction() as transaction:
        if database.engine == "postgresql":  # where two that make one table get in each other's way
            await transaction.fetch_one("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
        await transaction.execute(_TABLE.format(**_TYPES[database.engine]))
        await transaction.execute(_INDEX)
