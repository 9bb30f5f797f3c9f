"""An event as a row, and a row as an event."""

import json
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from nexus.data.json_text import make_encoder
from nexus.events.event import Event, restored_event

EventRow: TypeAlias = tuple[str, str, str, str, int, str | None, str | None, str | None, int | None]
"""Id, name, data, source, nanoseconds, ids of correlation and causation, key and version."""

COLUMNS: Final = (
    "id, name, data, source, time_ns, correlation_id, causation_id, ordering_key, version"
)
OVERHEAD: Final = 160
"""About how many bytes a row takes beside its data."""

_LONGEST_WORD: Final = 255
_NOTHING: Final = (None, None, None, None)

_encode = make_encoder()


def row_of(event: Event) -> EventRow:
    """Give the row of an event, without its position."""
    cause = event.cause
    if cause != _NOTHING:
        cause = (_word(cause[0]), _word(cause[1]), _key(cause[2]), cause[3])
    return (event.id, event.name, _text(event.data), event.source, event.time_ns, *cause)


def size_of(row: EventRow) -> int:
    """Give about how many bytes a row takes."""
    data = row[2]
    return (len(data) if data.isascii() else len(data.encode())) + OVERHEAD


def storable(text: str) -> str:
    """Give text as every database takes it: without NUL and lone surrogates, which are escaped."""
    if "\0" not in text and (text.isascii() or _can_be_encoded(text)):
        return text
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


def event_of(row: Sequence[Any]) -> Event:
    """Give the event of a row that has `COLUMNS` and nothing else."""
    event_id, name, data, source, time_ns, correlation_id, causation_id, key, version = row
    if key is not None and key.startswith('"'):
        key = json.loads(key)  # it could not be written as it is; see `_key`
    return restored_event(
        event_id=event_id,
        name=name,
        data=json.loads(data),
        source=source,
        time_ns=time_ns,
        cause=(correlation_id, causation_id, key, version),
    )


def positioned(row: Sequence[Any]) -> Event:
    """Give the event of a row that has the position before `COLUMNS`."""
    event = event_of(row[1:])
    event.position = row[0]
    return event


def _text(data: Any) -> str:
    text: str = _encode(data)
    if text.isascii() or _can_be_encoded(text):
        return text
    return json.dumps(data, separators=(",", ":"))


def _word(text: str | None) -> str | None:
    return text if text is None else storable(text)[:_LONGEST_WORD]


def _key(text: str | None) -> str | None:
    """Give an ordering key so that it can be given back exactly."""
    if text is None or (text == storable(text) and not text.startswith('"')):
        return text
    return json.dumps(text)


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which no database takes as text
        return False
    return True
