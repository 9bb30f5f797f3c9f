"""Moments as operators write them: a time, or how long ago."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|m|h|d|w)")

EXPECTED: Final = (
    "Expected a duration such as 90s, 15m, 2h, 7d or 1w, or a time such as 2026-11-25T09:30 or"
    " 2026-11-25T09:30:00+01:00; without an offset it is UTC."
)


def since(text: str, now_ns: int | None = None) -> int:
    """Give a moment in nanoseconds since the epoch.

    Args:
        text: A time in ISO 8601, UTC unless it says otherwise, or how long ago it was.
        now_ns: The present moment.

    Raises:
        ValueError: It is neither.
    """
    now = time.time_ns() if now_ns is None else now_ns
    found = _DURATION.fullmatch(text.strip())
    if found is not None:
        return max(0, now - int(float(found[1]) * _UNITS[found[2]] * 1e9))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no moment. {EXPECTED}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000)
