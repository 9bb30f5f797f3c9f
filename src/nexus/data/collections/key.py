"""Values as bytes that sort as the values do: what the columns behind indexes hold.

A first byte tells the type, so that a comparison stays within it: booleans, then numbers, strings,
dates and UUIDs, then lists and objects. Null, and a value that is not there, have no bytes.

Numbers of both kinds are compared exactly, and 1 equals 1.0: eight bytes are the greatest double
that is not above the number, turned so that they sort (sign bit inverted, all bits for negative
ones); two more are what an integer beyond 2**53 has above that double. Lists and objects have a
digest, which tells equal from different and orders nothing.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from nexus.data.collections.tagged import TAG

KEY_FORMAT: Final = 1
"""Part of the names of key columns: with another format they are made anew."""

MAX_KEY: Final = 701
"""Bytes of the longest key, of a string with 700 bytes of UTF-8."""

MAX_INDEX_KEY: Final = 3 * MAX_KEY
"""Bytes of all keys of an index together; PostgreSQL takes 2,704 with the id and its overhead."""

BOOLEAN: Final = b"\x10"
NUMBER: Final = b"\x20"
STRING: Final = b"\x30"
TAGGED: Final = b"\x40"
CONTAINER: Final = b"\x50"

FALSE_KEY: Final = BOOLEAN + b"\x00"
TRUE_KEY: Final = BOOLEAN + b"\x01"

_EXACT: Final = 2**53
_pack = struct.Struct(">d").pack
_POSITIVE: Final = [NUMBER + bytes((byte ^ 0x80,)) for byte in range(256)]
_INVERTED: Final = bytes(255 - byte for byte in range(256))


def _double(value: float) -> bytes:
    packed = _pack(value + 0.0)  # which makes -0.0 the 0.0 that it equals
    if packed[0] < 0x80:  # noqa: PLR2004  the sign bit
        return _POSITIVE[packed[0]] + packed[1:]
    return NUMBER + packed.translate(_INVERTED)


def _integer(value: int) -> bytes:
    if -_EXACT <= value <= _EXACT:
        return _double(value)
    below = float(value)
    if int(below) > value:
        below = math.nextafter(below, -math.inf)
    above = value - int(below)
    return _double(below) + above.to_bytes(2, "big") if above else _double(below)


def _boolean(value: bool) -> bytes:
    return TRUE_KEY if value else FALSE_KEY


def _string(value: str) -> bytes:
    return STRING + value.encode()


def _tagged(value: Any) -> bytes:
    return TAGGED + TAG[type(value)](value)[1:].encode()


def _container(value: Any) -> bytes:
    digest = hashlib.sha256()
    _feed(digest.update, value)
    return CONTAINER + digest.digest()


def _feed(update: Callable[[bytes], object], value: Any) -> None:
    if type(value) is list:
        update(b"[%d" % len(value))
        for part in value:
            _feed(update, part)
    elif type(value) is dict:
        update(b"{%d" % len(value))
        for name in sorted(value):
            _feed(update, name)
            _feed(update, value[name])
    else:
        key = encode_key(value) or b""
        update(b"=%d:" % len(key) + key)


_ENCODE: Final[Mapping[type, Callable[[Any], bytes | None]]] = {
    type(None): lambda _: None,
    bool: _boolean,
    int: _integer,
    float: _double,
    str: _string,
    list: _container,
    dict: _container,
    datetime: _tagged,
    date: _tagged,
    UUID: _tagged,
}


def encode_key(value: Any) -> bytes | None:
    """Give the key of a value that a document may have; None for null."""
    return _ENCODE[type(value)](value)


def key_range(key: bytes) -> tuple[bytes, bytes]:
    """Give where the keys of the same type begin, and before what they end."""
    if key[:1] == TAGGED:
        return key[:2], TAGGED + bytes((key[1] + 1,))
    return key[:1], bytes((key[0] + 1,))
