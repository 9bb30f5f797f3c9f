"""What plugins and the platform keep, on SQLite, PostgreSQL or MariaDB.

The names below are loaded on first use: a store in memory needs no SQLite.
"""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names

if TYPE_CHECKING:
    from nexus.data.engines.sqlite.backup import restore_database
    from nexus.data.engines.sqlite.database import SqliteDatabase
    from nexus.data.engines.sqlite.file import SqliteFile
    from nexus.data.engines.sqlite.sole_use import sole_use
    from nexus.data.json_text import JSON
    from nexus.data.kv import MISSING, KeyValueStore
    from nexus.data.memory import MemoryKeyValueStore
    from nexus.data.sql_kv import SqlKeyValueStore

__all__ = [
    "JSON",
    "MISSING",
    "KeyValueStore",
    "MemoryKeyValueStore",
    "SqlKeyValueStore",
    "SqliteDatabase",
    "SqliteFile",
    "restore_database",
    "sole_use",
]

_HOMES = {
    "JSON": "nexus.data.json_text",
    "KeyValueStore": "nexus.data.kv",
    "MISSING": "nexus.data.kv",
    "MemoryKeyValueStore": "nexus.data.memory",
    "SqliteDatabase": "nexus.data.engines.sqlite.database",
    "SqliteFile": "nexus.data.engines.sqlite.file",
    "SqlKeyValueStore": "nexus.data.sql_kv",
    "restore_database": "nexus.data.engines.sqlite.backup",
    "sole_use": "nexus.data.engines.sqlite.sole_use",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
