"""When a plugin starts: with the application, or at its first use."""

import math
from dataclasses import dataclass
from typing import Any, Final

from nexus.manifest.duration import seconds_of
from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report, closest
from nexus.manifest.shapes import INVALID, Text

ON_REQUEST: Final = "on_request"

_WORDS: Final = {"request": ON_REQUEST}


def _nearest(text: str) -> str | None:
    """Give the valid spelling closest to a text, such as `on_request` for `onRequest`."""
    plain = text.lower().replace("_", "").replace("-", "").replace(" ", "").removeprefix("on")
    kind = plain if plain in _WORDS else closest(plain, tuple(_WORDS))
    return None if kind is None else _WORDS[kind]


USE: Final = Text(
    expected='"on_request"',
    pattern=r"on_request",
    suggest=_nearest,
)
"""One kind of use that starts a plugin."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Span:
    """A span of time, which reads as seconds."""

    expected: str = 'a number of seconds above 0, or a text such as "90s", "10m" or "1h30m"'

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the seconds, or report what is wrong and give `INVALID`."""
        try:
            seconds = seconds_of(value)
        except (ValueError, OverflowError):
            seconds = 0.0
        if seconds > 0 and math.isfinite(seconds):
            return seconds
        report.mismatch(path, value, self.expected)
        return INVALID

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value."""
        return {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^(?:\s*\d+(?:\.\d+)?\s*[wdhmsWDHMS])+\s*$"},
            ]
        }


def check_idle_stop(read: dict[str, Any], report: Report) -> None:
    """Refuse to stop a plugin when it is idle that no use would start again."""
    stop = read.get("idle_stop", INVALID)
    if stop is INVALID or stop is None or read.get("activation", ()):
        return
    expected = 'an "activation" beside it, which says what starts the plugin again'
    report.mismatch(("idle_stop",), stop, expected)
