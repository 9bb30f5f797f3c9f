"""Dates and UUIDs as JSON strings that sort as the values do.

A value that JSON lacks is stored as a string of the control character U+001F, a letter and a text:

    D 2026-11-22                    a date
    J [...]                         what nests too deeply for a database, as JSON text of its own
    N 2026-11-22T09:41:00.000000    a datetime without a time zone
    T 2026-11-22T08:41:00.000000    a datetime with one, as it is in UTC
    U 8a9d1a80-...                  a UUID
    s ...                           a string that starts with U+001F itself

Strings that start with U+001F are all that pays for it, and the letter `s` comes last, so that
whatever sorts from an escaped string on is a string again.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

MARK: Final = "\x1f"
MARK_IN_JSON: Final = "\\u001f"
"""How JSON text writes the mark."""

ESCAPED: Final = MARK + "s"
PACKED: Final = MARK + "J"


def _naive_or_aware(value: datetime) -> str:
    if value.utcoffset() is None:
        return f"{MARK}N{value.replace(tzinfo=None).isoformat(timespec='microseconds')}"
    moment = value.astimezone(UTC).replace(tzinfo=None)
    return f"{MARK}T{moment.isoformat(timespec='microseconds')}"


def _uuid(value: UUID) -> str:
    return f"{MARK}U{value}"


def _date(value: date) -> str:
    return f"{MARK}D{value.isoformat()}"


TAG: Final[Mapping[type, Callable[[Any], str]]] = {
    datetime: _naive_or_aware,
    date: _date,
    UUID: _uuid,
}
"""By exact type, what makes the string of a value; OverflowError where UTC has no such date."""


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_UNTAG: Final[Mapping[str, Callable[[str], Any]]] = {
    "D": date.fromisoformat,
    "N": datetime.fromisoformat,
    "T": _aware,
    "U": UUID,
    "s": str,
}


def tagged_text(value: str) -> str:
    """Give the string that stands for a string."""
    return ESCAPED + value if value[:1] == MARK else value


def untagged_text(text: str) -> Any:
    """Give the value that a string which starts with the mark stands for.

    Raises:
        ValueError: It stands for none.
    """
    untag = _UNTAG.get(text[1:2])
    if untag is None:
        message = f"no value is stored as {text[:40]!a}"
        raise ValueError(message)
    return untag(text[2:])
