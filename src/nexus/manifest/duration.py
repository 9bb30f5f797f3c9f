"""Spans of time as people write them: `"5m"`, `"1h30m"`, 30."""

import re
from typing import Final

_UNITS: Final = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_SPAN: Final = re.compile(r"(?:\d+(?:\.\d+)?[wdhms])+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")
EXPECTED: Final = 'a number of seconds, or a text such as "30s", "5m", "1h30m" or "1d"'
"""What `seconds_of` takes, in words."""


def seconds_of(span: object) -> float:
    """Give a span of time in seconds.

    Args:
        span: A number of seconds, or numbers with the units `w`, `d`, `h`, `m` and `s`.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(span, int | float) and not isinstance(span, bool):
        return float(span)
    text = span.replace(" ", "").lower() if isinstance(span, str) else ""
    if not _SPAN.fullmatch(text):
        raise ValueError(span)
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def written(seconds: float) -> str:
    """Write seconds as one would type them, such as `1h30m`."""
    parts = []
    for unit, size in _UNITS.items():
        if unit == "s":
            break
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:.0f}{unit}")
    if seconds or not parts:
        parts.append(f"{seconds:g}s")
    return "".join(parts)
