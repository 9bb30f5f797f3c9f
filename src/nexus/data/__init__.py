"""What plugins and the platform keep: JSON by key, on SQLite or in memory.

The names below are loaded on first use: a store in memory needs no SQLite.
"""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names

if TYPE_CHECKING:
    from nexus.data.backup import restore_database
    from nexus.data.json_text import JSON
    from nexus.data.kv import MISSING, KeyValueStore
    from nexus.data.memory import MemoryKeyValueStore
    from nexus.data.sole_use import sole_use
    from nexus.data.sqlite import DatabaseFigures, SqliteDatabase
    from nexus.data.sqlite_file import SqliteFile
    from nexus.data.sqlite_kv import SqliteKeyValueStore

__all__ = [
    "JSON",
    "MISSING",
    "DatabaseFigures",
    "KeyValueStore",
    "MemoryKeyValueStore",
    "SqliteDatabase",
    "SqliteFile",
    "SqliteKeyValueStore",
    "restore_database",
    "sole_use",
]

_HOMES = {
    "DatabaseFigures": "nexus.data.sqlite",
    "JSON": "nexus.data.json_text",
    "KeyValueStore": "nexus.data.kv",
    "MISSING": "nexus.data.kv",
    "MemoryKeyValueStore": "nexus.data.memory",
    "SqliteDatabase": "nexus.data.sqlite",
    "SqliteFile": "nexus.data.sqlite_file",
    "SqliteKeyValueStore": "nexus.data.sqlite_kv",
    "restore_database": "nexus.data.backup",
    "sole_use": "nexus.data.sole_use",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
