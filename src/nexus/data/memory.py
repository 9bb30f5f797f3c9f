"""A key-value store in memory, for detached plugins and for tests."""

from collections.abc import Mapping

from nexus.data.json_text import JSON, MAX_BYTES, decode, encode
from nexus.data.kv import MISSING, check_key, check_prefix
from nexus.errors import DatabaseClosed


class MemoryKeyValueStore:
    """The contract of `KeyValueStore` without a disk: everything is gone with the object.

    It keeps the encoded text, so that values are copied and refused as a database would.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._namespaces: dict[str, dict[str, str | bytes]] = {}
        self._closed = False

    def close(self) -> None:
        """Forget everything and refuse later calls."""
        self._namespaces.clear()
        self._closed = True

    async def get(self, namespace: str, key: str) -> JSON:
        """Give the value, or `MISSING`."""
        self._check(namespace, key)
        text = self._namespaces.get(namespace, {}).get(key)
        return MISSING if text is None else decode(text)

    async def set(self, namespace: str, key: str, value: JSON) -> None:
        """Store a value in place of the one before."""
        self._check(namespace, key)
        text = encode(value, max_bytes=self._max_bytes)
        self._namespaces.setdefault(namespace, {})[key] = text

    async def set_if_absent(self, namespace: str, key: str, value: JSON) -> bool:
        """Store a value unless the key has one."""
        self._check(namespace, key)
        text = encode(value, max_bytes=self._max_bytes)
        values = self._namespaces.setdefault(namespace, {})
        if key in values:
            return False
        values[key] = text
        return True

    async def delete(self, namespace: str, key: str) -> bool:
        """Remove a value; say whether there was one."""
        self._check(namespace, key)
        return self._namespaces.get(namespace, {}).pop(key, None) is not None

    async def update(self, namespace: str, changes: Mapping[str, JSON]) -> None:
        """Store or remove several values: all of them or none."""
        texts: dict[str, str | bytes] = {}
        removed: list[str] = []
        for key, value in changes.items():
            self._check(namespace, key)
            if value is MISSING:
                removed.append(key)
            else:
                texts[key] = encode(value, max_bytes=self._max_bytes)
        values = self._namespaces.setdefault(namespace, {})
        values.update(texts)
        for key in removed:
            values.pop(key, None)

    async def items(self, namespace: str, prefix: str = "") -> dict[str, JSON]:
        """Give all values whose keys start with the prefix, in the order of their keys."""
        self._check_open()
        check_prefix(namespace, prefix)
        values = sorted(self._namespaces.get(namespace, {}).items())
        return {key: decode(text) for key, text in values if key.startswith(prefix)}

    async def clear(self, namespace: str) -> int:
        """Remove a whole namespace; say how many values it had."""
        self._check(namespace, "any")
        return len(self._namespaces.pop(namespace, {}))

    def _check(self, namespace: str, key: str) -> None:
        self._check_open()
        check_key(namespace, key)

    def _check_open(self) -> None:
        if self._closed:
            raise DatabaseClosed(path="memory")
