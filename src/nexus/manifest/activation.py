"""When a plugin starts: with the application, or at its first use."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from nexus.manifest.duration import seconds_of
from nexus.manifest.event_patterns import covers, overlap
from nexus.manifest.names import EVENT_PATTERN
from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report, closest
from nexus.manifest.shapes import INVALID, Refusal, Text

ON_REQUEST: Final = "on_request"
ON_EVENT: Final = "on_event:"
ON_SERVICE: Final = "on_service:"

_WORDS: Final = {"request": ON_REQUEST, "event": ON_EVENT, "service": ON_SERVICE}
_OF_NO_PLUGIN: Final = frozenset({"*", "**", "plugin", "system"})
"""First segments of patterns that select events of the platform, of the plugin's own end too."""


def _nearest(text: str) -> str | None:
    """Give the valid spelling closest to a text, such as `on_request` for `onRequest`."""
    word, _, rest = text.partition(":")
    plain = re.sub(r"[^a-z]", "", word.lower()).removeprefix("on")
    kind = plain if plain in _WORDS else closest(plain, tuple(_WORDS))
    return None if kind is None else _WORDS[kind] + rest.strip()


def _refuse_platform_events(use: str) -> Refusal | None:
    """Refuse what the platform publishes of the plugin itself: its end would start it again."""
    pattern = use.removeprefix(ON_EVENT)
    if pattern == use or pattern.partition(".")[0] not in _OF_NO_PLUGIN:
        return None
    return Refusal(expected='a pattern whose first segment is a name, and not "plugin" or "system"')


USE: Final = Text(
    expected='"on_request", "on_event:" with a pattern of event names, or "on_service:" with the'
    " name of a service",
    pattern=rf"on_request|{ON_EVENT}(?:{EVENT_PATTERN.pattern})"
    rf"|{ON_SERVICE}[^\x00-\x20\x7f][^\x00-\x1f\x7f]*",
    longest=len(ON_EVENT) + (EVENT_PATTERN.longest or 0),
    rule=_refuse_platform_events,
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


def check_started_by(read: dict[str, Any], report: Report) -> None:
    """Refuse a use by events of which a durable subscription has more than those.

    What waits for a plugin in the log is looked for by subscription: it could not be told whether
    the events that wait are the ones that start it.
    """
    events = read.get("events", INVALID)
    durable = () if events is INVALID else events.subscribes
    uses = read.get("activation", INVALID)
    for index, use in enumerate(() if uses is INVALID else uses):
        if use is INVALID or not use.startswith(ON_EVENT):
            continue
        pattern = use.removeprefix(ON_EVENT)
        for wanted in durable:
            if overlap(pattern, wanted) and not covers(pattern, wanted) and not report.full():
                expected = (
                    f'a pattern that selects all events of "{wanted}", to which the plugin'
                    " subscribes durably, or none of them"
                )
                report.mismatch(("activation", index), use, expected, nearest=f"{ON_EVENT}{wanted}")
                break
