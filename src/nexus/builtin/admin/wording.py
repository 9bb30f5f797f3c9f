"""How values are put into words and figures on pages."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_KILO: Final = 1024
_ROUND_BELOW: Final = 10

STATE_KINDS: Final = {
    "running": "good",
    "dormant": "calm",
    "disabled": "calm",
    "stopped": "calm",
    "discovered": "busy",
    "starting": "busy",
    "draining": "busy",
    "blocked": "warn",
    "invalid": "bad",
    "failed": "bad",
    "quarantined": "bad",
}
"""By state, how it is to look."""


def state_kind(state: str) -> str:
    """Say how a state is to look."""
    return STATE_KINDS.get(state, "calm")


def duration(seconds: float) -> str:
    """Put a span of time into two units at most."""
    left = int(seconds)
    if left < _MINUTE:
        return f"{left} s"
    if left < _HOUR:
        return f"{left // _MINUTE} min"
    if left < _DAY:
        return f"{left // _HOUR} h {left % _HOUR // _MINUTE} min"
    return f"{left // _DAY} d {left % _DAY // _HOUR} h"


def ago(moment: str) -> str:
    """Say how long ago a moment was."""
    return duration(max(0.0, (datetime.now(UTC) - _moment(moment)).total_seconds()))


def clock(moment: str) -> str:
    """Give date and time of a moment, in UTC."""
    return _moment(moment).strftime("%Y-%m-%d %H:%M:%S")


def day(seconds: float) -> str:
    """Give the day of a time in seconds since 1970, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def size(octets: float) -> str:
    """Give a number of bytes in the unit that suits it."""
    value = float(octets)
    for unit in ("B", "KiB", "MiB"):
        if value < _KILO:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KILO
    return f"{value:.1f} GiB"


def figure(value: float) -> str:
    """Give a number with separators, whole where it is."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < _ROUND_BELOW else f"{value:,.1f}"


def rate(value: float) -> str:
    """Give how often something happens, with as many digits as mean something."""
    if value == 0 or value >= _ROUND_BELOW:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def words(value: str) -> str:
    """Make a name with underscores a phrase."""
    text = value.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def worker(name: str) -> str:
    """Give host and process of a worker without what tells it from others that had the number."""
    return ":".join(name.split(":")[:2])


def as_json(value: Any) -> str:
    """Give JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def short_json(value: Any) -> str:
    """Give JSON in a line."""
    return json.dumps(value, ensure_ascii=False)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "state_kind": state_kind,
    "duration": duration,
    "ago": ago,
    "clock": clock,
    "day": day,
    "size": size,
    "figure": figure,
    "rate": rate,
    "words": words,
    "worker": worker,
    "as_json": as_json,
    "short_json": short_json,
}
