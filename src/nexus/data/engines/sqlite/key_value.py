"""The key-value table on SQLite; a value is text, or bytes where text cannot carry it."""

from typing import Final

from nexus.data.sql_kv import KeyValueStatements

STATEMENTS: Final = KeyValueStatements(
    get="SELECT value FROM key_value WHERE namespace = ? AND key = ?",
    set="INSERT INTO key_value VALUES (?, ?, ?)"
    " ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
    add="INSERT INTO key_value VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    delete="DELETE FROM key_value WHERE namespace = ? AND key = ?",
    clear="DELETE FROM key_value WHERE namespace = ?",
    items="SELECT key, value FROM key_value WHERE namespace = ? AND key BETWEEN ? AND ?"
    " ORDER BY key",
)
