"""An event as an entry of a stream, and an entry as an event.

An entry's id is `<position>-0`. Its fields are those of the event, readable with any client;
`before` is how many bytes were put into the log before it, which makes the size of any part of the
log a subtraction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nexus.events.durable.rows import EventRow, positioned
from nexus.events.event import Event

Entry: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]

_NOTHING = (None, None, None, None)
_CAUSE = ("correlation_id", "causation_id", "ordering_key", "version")
_FIELDS = frozenset({b"id", b"name", b"data", b"source", b"time_ns", b"before"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of an event without its data.

    Attributes:
        position: Where it is.
        time_ns: When it was published, in nanoseconds since the epoch.
        before: How many bytes were ever put in before it.
    """

    position: int
    time_ns: int
    before: int


def arguments(row: EventRow) -> Sequence[Any]:
    """Give what the script is given of an event: `id`, `name`, `data`, `source`, `time`, `more`."""
    cause = row[5:]
    more = "" if cause == _NOTHING else json.dumps(dict(zip(_CAUSE, cause, strict=True)))
    return (*row[:5], more)


def is_event(entry: Entry) -> bool:
    """Say whether an entry is an event, and not what somebody else has put into the stream."""
    return entry[0].endswith(b"-0") and entry[1].keys() >= _FIELDS


def position_of(entry: Entry) -> int:
    """Give where an entry is."""
    return int(entry[0].partition(b"-")[0])


def name_of(entry: Entry) -> str:
    """Give the name of an entry's event."""
    return entry[1][b"name"].decode()


def mark_of(entry: Entry) -> Mark:
    """Give what is known of an entry's event without its data."""
    fields = entry[1]
    return Mark(
        position=position_of(entry),
        time_ns=int(fields[b"time_ns"]),
        before=int(fields[b"before"]),
    )


def event_of(entry: Entry) -> Event:
    """Give an entry's event, with its position."""
    fields = entry[1]
    more = fields.get(b"more")
    cause = _NOTHING if more is None else _cause(json.loads(more))
    return positioned(
        (
            position_of(entry),
            fields[b"id"].decode(),
            fields[b"name"].decode(),
            fields[b"data"],
            fields[b"source"].decode(),
            int(fields[b"time_ns"]),
            *cause,
        )
    )


def _cause(more: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(more[each] for each in _CAUSE)
