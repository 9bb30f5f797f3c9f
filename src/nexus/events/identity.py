"""Identifiers that sort by time: UUID version 7 (RFC 9562), rendered when somebody reads them.

A number from a counter and the time are all that is kept until then, because rendering costs
more than everything else that publishing does.
"""

import itertools
import os
import uuid

_SERIAL_BITS = 42
_SERIAL_LOW_BITS = 30
_VERSION = 7


_process = int.from_bytes(os.urandom(4), "big")

# Starting anywhere in the lower half leaves two trillion numbers before the counter wraps.
next_serial = itertools.count(int.from_bytes(os.urandom(5), "big")).__next__
"""Gives a number that this process has not given before."""


def _after_fork() -> None:
    global _process  # noqa: PLW0603 - a forked process must not repeat its parent's ids
    _process = int.from_bytes(os.urandom(4), "big")


os.register_at_fork(after_in_child=_after_fork)


def render_id(time_ns: int, serial: int) -> str:
    """Render a UUID version 7.

    Args:
        time_ns: Nanoseconds since the epoch.
        serial: A number from `next_serial`.
    """
    serial &= (1 << _SERIAL_BITS) - 1
    high, low = serial >> _SERIAL_LOW_BITS, serial & ((1 << _SERIAL_LOW_BITS) - 1)
    value = (
        ((time_ns // 1_000_000) & 0xFFFF_FFFF_FFFF) << 80
        | 7 << 76
        | high << 64
        | 2 << 62
        | low << 32
        | _process
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def time_of(event_id: str) -> int | None:
    """Give the time that an identifier was made for, in nanoseconds and cut to milliseconds.

    None where it is no UUID version 7.
    """
    try:
        value = uuid.UUID(event_id)
    except ValueError:
        return None
    return (value.int >> 80) * 1_000_000 if value.version == _VERSION else None
