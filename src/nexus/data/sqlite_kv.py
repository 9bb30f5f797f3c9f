"""The key-value store on SQLite, the hot path of `get_data` and `set_data`."""

import sqlite3
from collections.abc import Mapping
from typing import Final

from nexus.data.json_text import JSON, MAX_BYTES, decode, encode
from nexus.data.kv import MAX_KEY_LENGTH, MISSING, check_key, check_prefix
from nexus.data.sqlite import SqliteDatabase

_GET: Final = "SELECT value FROM key_value WHERE namespace = ? AND key = ?"
_SET: Final = (
    "INSERT INTO key_value VALUES (?, ?, ?)"
    " ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value"
)
_ADD: Final = "INSERT INTO key_value VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_DELETE: Final = "DELETE FROM key_value WHERE namespace = ? AND key = ?"
_CLEAR: Final = "DELETE FROM key_value WHERE namespace = ?"
_ITEMS: Final = (
    "SELECT key, value FROM key_value WHERE namespace = ? AND key BETWEEN ? AND ? ORDER BY key"
)
_LAST: Final = "\U0010ffff" * MAX_KEY_LENGTH
"""After a prefix, no key that starts with the prefix comes later than this."""


class SqliteKeyValueStore:
    """`KeyValueStore` in the table `key_value` of an open database."""

    def __init__(self, database: SqliteDatabase, *, max_bytes: int = MAX_BYTES) -> None:
        self._database = database
        self._max_bytes = max_bytes

    async def get(self, namespace: str, key: str) -> JSON:
        """Give the value, or `MISSING`."""
        check_key(namespace, key)
        row = await self._database.fetch_one(_GET, (namespace, key))
        return MISSING if row is None else decode(row[0])

    async def set(self, namespace: str, key: str, value: JSON) -> None:
        """Store a value in place of the one before."""
        check_key(namespace, key)
        text = encode(value, max_bytes=self._max_bytes)
        await self._database.execute(_SET, (namespace, key, text))

    async def set_if_absent(self, namespace: str, key: str, value: JSON) -> bool:
        """Store a value unless the key has one."""
        check_key(namespace, key)
        text = encode(value, max_bytes=self._max_bytes)
        return await self._database.execute(_ADD, (namespace, key, text)) == 1

    async def delete(self, namespace: str, key: str) -> bool:
        """Remove a value; say whether there was one."""
        check_key(namespace, key)
        return await self._database.execute(_DELETE, (namespace, key)) == 1

    async def update(self, namespace: str, changes: Mapping[str, JSON]) -> None:
        """Store or remove several values: all of them or none."""
        check_key(namespace, "any")
        statements: list[tuple[str, tuple[str | bytes, ...]]] = []
        for key, value in changes.items():
            check_key(namespace, key)
            if value is MISSING:
                statements.append((_DELETE, (namespace, key)))
            else:
                text = encode(value, max_bytes=self._max_bytes)
                statements.append((_SET, (namespace, key, text)))

        def change(connection: sqlite3.Connection) -> None:
            for statement, parameters in statements:
                connection.execute(statement, parameters)

        await self._database.write(change)

    async def items(self, namespace: str, prefix: str = "") -> dict[str, JSON]:
        """Give all values whose keys start with the prefix, in the order of their keys."""
        check_prefix(namespace, prefix)

        def scan(connection: sqlite3.Connection) -> list[tuple[str, str | bytes]]:
            return connection.execute(_ITEMS, (namespace, prefix, prefix + _LAST)).fetchall()

        return {key: decode(text) for key, text in await self._database.read(scan)}

    async def clear(self, namespace: str) -> int:
        """Remove a whole namespace; say how many values it had."""
        check_key(namespace, "any")
        return await self._database.execute(_CLEAR, (namespace,))
