"""The key-value store in the application's database, the hot path of `get_data` and `set_data`."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from nexus.data.database import Database
from nexus.data.json_text import JSON, MAX_BYTES, decode, encode
from nexus.data.kv import MAX_KEY_LENGTH, MISSING, check_key, check_prefix
from nexus.data.transaction import current_transaction

_LAST: Final = "\U0010ffff" * MAX_KEY_LENGTH
"""After a prefix, no key that starts with the prefix comes later than this."""


_STREAMED: Final = 50
"""So many values are held at a time; each may be as large as a value can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValueStatements:
    """How one engine keeps the table `key_value`.

    Attributes:
        get: Gives the value; parameters are namespace and key.
        set: Stores a value in place of the one before; namespace, key and value.
        add: Stores a value where there is none; as `set`.
        delete: Removes a value; as `get`.
        clear: Removes a namespace; its name.
        items: Gives keys and values in the order of the keys; namespace, first and last key.
        binary_keys: Whether namespaces and keys are bytes of UTF-8.
        binary_values: Whether values are.
        lock: What has `get` keep others from changing the value until the transaction ends; empty
            where a transaction keeps out all others that write.
    """

    get: str
    set: str
    add: str
    delete: str
    clear: str
    items: str
    binary_keys: bool = False
    binary_values: bool = False
    lock: str = ""


class SqlKeyValueStore:
    """`KeyValueStore` in the table `key_value` of an open database."""

    def __init__(self, database: Database, *, max_bytes: int = MAX_BYTES) -> None:
        self._database = database
        self._max_bytes = max_bytes
        module = import_module(f"nexus.data.engines.{database.engine}.key_value")
        self._statements: KeyValueStatements = module.STATEMENTS

    async def get(self, namespace: str, key: str) -> JSON:
        """Give the value, or `MISSING`.

        In a transaction that may write, nobody else changes the value until it ends: what is read,
        changed and set there is not lost.
        """
        statement = self._statements.get
        if self._statements.lock:
            transaction = current_transaction(self._database)
            if transaction is not None and not transaction.read_only:
                statement += self._statements.lock
        row = await self._database.fetch_one(statement, self._names(namespace, key))
        return MISSING if row is None else decode(row[0])

    async def set(self, namespace: str, key: str, value: JSON) -> None:
        """Store a value in place of the one before."""
        names = self._names(namespace, key)
        await self._database.execute(self._statements.set, (*names, self._text(value)))

    async def set_if_absent(self, namespace: str, key: str, value: JSON) -> bool:
        """Store a value unless the key has one."""
        names = self._names(namespace, key)
        statement = self._statements.add
        return await self._database.execute(statement, (*names, self._text(value))) == 1

    async def delete(self, namespace: str, key: str) -> bool:
        """Remove a value; say whether there was one."""
        names = self._names(namespace, key)
        return await self._database.execute(self._statements.delete, names) == 1

    async def update(self, namespace: str, changes: Mapping[str, JSON]) -> None:
        """Store or remove several values: all of them or none."""
        check_key(namespace, "any")
        statements: list[tuple[str, tuple[Any, ...]]] = []
        for key, value in changes.items():
            names = self._names(namespace, key)
            if value is MISSING:
                statements.append((self._statements.delete, names))
            else:
                statements.append((self._statements.set, (*names, self._text(value))))
        if len(statements) == 1:
            # A statement is all or nothing by itself, and goes to the database in one piece.
            await self._database.execute(*statements[0])
            return
        async with self._database.transaction() as transaction:
            for statement, parameters in statements:
                await transaction.execute(statement, parameters)

    async def items(self, namespace: str, prefix: str = "") -> dict[str, JSON]:
        """Give all values whose keys start with the prefix, in the order of their keys."""
        check_prefix(namespace, prefix)
        parameters = tuple(self._name(each) for each in (namespace, prefix, prefix + _LAST))
        rows = await self._database.fetch_all(self._statements.items, parameters)
        return {_word(key): decode(text) for key, text in rows}

    async def stream(self, namespace: str) -> AsyncIterator[tuple[str, JSON]]:
        """Give all keys and values in the order of the keys, of which few are held at a time."""
        check_key(namespace, "any")
        async for key, text in self._database.stream(
            self._statements.items, self._whole(namespace), chunk=_STREAMED
        ):
            yield _word(key), decode(text)

    async def namespaces(self, prefix: str) -> list[str]:
        """Give the namespaces whose names start with the prefix, by looking through everything."""
        rows = await self._database.fetch_all("SELECT DISTINCT namespace FROM key_value")
        names = (_word(name) for (name,) in rows)
        return sorted(name for name in names if name.startswith(prefix))

    async def count(self, namespace: str) -> int:
        """Tell how many values a namespace has."""
        check_key(namespace, "any")
        counting = f"SELECT count(*) FROM ({self._statements.items}) AS counted"  # noqa: S608
        row = await self._database.fetch_one(counting, self._whole(namespace))
        return int(row[0])

    async def clear(self, namespace: str) -> int:
        """Remove a whole namespace; say how many values it had."""
        check_key(namespace, "any")
        return await self._database.execute(self._statements.clear, (self._name(namespace),))

    def _whole(self, namespace: str) -> tuple[Any, Any, Any]:
        first, last = self._name(""), self._name(_LAST)
        return self._name(namespace), first, last

    def _names(self, namespace: str, key: str) -> tuple[Any, Any]:
        check_key(namespace, key)
        if self._statements.binary_keys:
            return namespace.encode(), key.encode()
        return namespace, key

    def _name(self, name: str) -> Any:
        return name.encode() if self._statements.binary_keys else name

    def _text(self, value: JSON) -> str | bytes:
        text = encode(value, max_bytes=self._max_bytes)
        if self._statements.binary_values and isinstance(text, str):
            return text.encode()
        return text


def _word(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode()
