"""How large an event may be: it stays in memory for a while, in several places."""

from typing import Any

from nexus.errors import EventTooLarge

SMALL_FIELDS = 32
"""Flat data of at most so many fields needs no measuring, when all its texts are small."""

SMALL_TEXT = 500
"""How many characters a small text has at most."""

DEFAULT_LIMIT = 256 * 1024
"""Bytes of one event's data where the settings say nothing."""

known_keys: set[str] = set()
"""Keys that are known to be small texts: finding one here is faster than looking at it."""

_MAX_KNOWN_KEYS = 4096
_PUNCTUATION = 2


def check_size(name: str, data: Any, limit: int) -> None:
    """Refuse data that takes more than `limit` bytes as JSON.

    The size is estimated, without the escapes inside texts; the walk ends where it is over.

    Args:
        name: The event's name, for the error.
        data: Frozen JSON data.
        limit: Bytes.

    Raises:
        EventTooLarge: It takes more.
    """
    left = limit
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            left -= _PUNCTUATION * (len(value) + 1)
            if left >= 0:
                waiting += value
                waiting += value.values()
        elif isinstance(value, list):
            left -= len(value) + _PUNCTUATION
            if left >= 0:
                waiting += value
        else:
            left -= _atom_size(value, left)
        if left < 0:
            raise EventTooLarge(event=name, limit=limit)


def learn_keys(data: dict[str, Any]) -> None:
    """Remember the keys of data, as far as they are small and there is room."""
    if len(known_keys) < _MAX_KNOWN_KEYS and len(data) <= SMALL_FIELDS:
        known_keys.update(key for key in data if type(key) is str and len(key) <= SMALL_TEXT)


def _atom_size(value: str | float | None, enough: int) -> int:
    if isinstance(value, str):
        if value.isascii() or len(value) > enough:
            return len(value) + _PUNCTUATION
        return len(value.encode("utf-8", "surrogatepass")) + _PUNCTUATION
    if isinstance(value, int):  # a decimal digit has a little more than 3 bits
        return value.bit_length() * 3 // 10 + 1
    return len(repr(value))
