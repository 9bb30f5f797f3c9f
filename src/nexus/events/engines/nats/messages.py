"""An event as a message, and a message as an event.

A message is a JSON object that anybody can read, under the subject `<stream>.<event name>`. Its
position is the stream's sequence number.
"""

import json
import logging
from typing import Any, Final

from nexus.events.durable.rows import EventRow
from nexus.events.event import Event, restored_event
from nexus.events.pattern import REST

logger = logging.getLogger(__name__)

_NOTHING: Final = (None, None, None, None)
_CAUSE: Final = ("correlation_id", "causation_id", "ordering_key", "version")


def payload_of(row: EventRow) -> bytes:
    """Give an event as the text of a message; its data is JSON already."""
    event_id, name, data, source, time_ns, *cause = row
    more = ""
    if tuple(cause) != _NOTHING:
        given = {key: value for key, value in zip(_CAUSE, cause, strict=True) if value is not None}
        more = f",{json.dumps(given)[1:-1]}"
    return (
        f'{{"id":{json.dumps(event_id)},"name":"{name}","source":{json.dumps(source)},'
        f'"time_ns":{time_ns},"data":{data}{more}}}'
    ).encode()


def event_of(position: int, payload: bytes | None) -> Event | None:
    """Give a message's event, with its position; None where it is none of ours."""
    try:
        told: dict[str, Any] = json.loads(payload or b"")
        correlation_id, causation_id, key, version = (told.get(each) for each in _CAUSE)
        if key is not None and key.startswith('"'):
            key = json.loads(key)  # as the rows of a database have it
        event = restored_event(
            event_id=told["id"],
            name=told["name"],
            data=told["data"],
            source=told["source"],
            time_ns=int(told["time_ns"]),
            cause=(correlation_id, causation_id, key, version),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    event.position = position
    return event


class Strangers:
    """Messages that somebody else has put into the stream: they stop nobody.

    Args:
        stream: The name of the stream.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._is_told = False

    def note(self, position: int) -> None:
        """Say it once, for each process."""
        if not self._is_told:
            logger.warning(
                "The stream has messages that are no events of this application; they are ignored",
                extra={"stream": self._stream, "position": position},
            )
        self._is_told = True


def subject_of(stream: str, pattern: str) -> str:
    """Give the subject of events with a name or of those that a pattern selects."""
    if pattern == REST:
        return f"{stream}.>"
    if pattern.endswith(f".{REST}"):
        pattern = f"{pattern.removesuffix(REST)}>"
    return f"{stream}.{pattern}"
