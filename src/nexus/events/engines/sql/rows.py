"""An event as a row, and a row as an event."""

import json
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from nexus.data.json_text import make_encoder
from nexus.events.event import Event

EventRow: TypeAlias = tuple[str, str, str, str, int, str | None, str | None, str | None]
"""Id, name, data, source, nanoseconds, correlation id, causation id and ordering key."""

COLUMNS: Final = (
    "id, name, data, source, time_ns, correlation_id, causation_id, ordering_key"
)
OVERHEAD: Final = 160
"""About how many bytes a row takes beside its data."""

_encode = make_encoder()


def row_of(event: Event) -> EventRow:
    """Give the row of an event, without its position."""
    return (
        event.id,
        event.name,
        _text(event.data),
        event.source,
        event.time_ns,
        *event.cause,
    )


def size_of(row: EventRow) -> int:
    """Give about how many bytes a row takes."""
    return len(row[2]) + OVERHEAD


def event_of(row: Sequence[Any]) -> Event:
    """Give the event of a row that has `COLUMNS` and nothing else."""
    id, name, data, source, time_ns, correlation_id, causation_id, ordering_key = row  # noqa: A001
    return Event.restored(
        id=id,
        name=name,
        data=json.loads(data),
        source=source,
        time_ns=time_ns,
        correlation_id=correlation_id,
        causation_id=causation_id,
        ordering_key=ordering_key,
    )


def positioned(row: Sequence[Any]) -> Event:
    """Give the event of a row that has the position before `COLUMNS`."""
    event = event_of(row[1:])
    event.position = row[0]
    return event


def _text(data: Any) -> str:
    text: str = _encode(data)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which no database takes as text
            return json.dumps(data, separators=(",", ":"))
    return text
