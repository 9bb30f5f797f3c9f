"""JSON by namespace and key: what every key-value store promises."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, Protocol

from nexus.data.json_text import JSON
from nexus.errors import InvalidKey

MAX_KEY_LENGTH: Final = 512


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""Stands where there is no value; None is a value of its own."""


class KeyValueStore(Protocol):
    """JSON values by key, in namespaces that never see each other.

    A value comes back exactly as it went in, as a copy. What JSON cannot carry is refused and
    nothing is stored. When an awaited write has returned, every later read sees it, and a killed
    process does not lose it if the store is on a disk. A cancelled write may still happen.

    Every method raises `InvalidKey` for a namespace or key that is not a str of 1 to 512
    characters without NUL and lone surrogates, `DatabaseClosed` after the store was closed, and
    `DatabaseUnavailable` when it cannot be reached; writes also raise `NotJson` and
    `ValueTooLarge`.
    """

    async def get(self, namespace: str, key: str) -> JSON:
        """Give the value, or `MISSING`."""
        ...

    async def set(self, namespace: str, key: str, value: JSON) -> None:
        """Store a value in place of the one before."""
        ...

    async def set_if_absent(self, namespace: str, key: str, value: JSON) -> bool:
        """Store a value unless the key has one; of many callers at once exactly one gets True."""
        ...

    async def delete(self, namespace: str, key: str) -> bool:
        """Remove a value; say whether there was one."""
        ...

    async def update(self, namespace: str, changes: Mapping[str, JSON]) -> None:
        """Store all of these values, or remove those given as `MISSING`: all of them or none."""
        ...

    async def items(self, namespace: str, prefix: str = "") -> dict[str, JSON]:
        """Give all values whose keys start with the prefix, in the order of their keys."""
        ...

    async def clear(self, namespace: str) -> int:
        """Remove a whole namespace; say how many values it had."""
        ...


def check_key(namespace: str, key: str) -> None:
    """Refuse what no store takes as a namespace or a key.

    Raises:
        InvalidKey: One of them is not a str of 1 to 512 characters without NUL and surrogates.
    """
    for name in (namespace, key):
        if type(name) is not str or not 0 < len(name) <= MAX_KEY_LENGTH or "\0" in name:
            raise InvalidKey(key=name, limit=MAX_KEY_LENGTH)
        if not name.isascii():
            _check_unicode(name)


def check_prefix(namespace: str, prefix: str) -> None:
    """Refuse what cannot start a key; the empty prefix starts all of them."""
    check_key(namespace, prefix or "any")


def _check_unicode(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidKey(key=name, limit=MAX_KEY_LENGTH) from None
