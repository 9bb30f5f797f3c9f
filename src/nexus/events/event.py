"""One event."""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import time_ns
from typing import Any, TypeAlias

from typing_extensions import override

from nexus.events.identity import next_serial, render_id
from nexus.events.payload import ATOMS, EventData, freeze, plain
from nexus.events.size import (
    DEFAULT_LIMIT,
    SMALL_FIELDS,
    SMALL_TEXT,
    check_size,
    known_keys,
    learn_keys,
)

_NO_CAUSE = (None, None, None, None)
_TRACED = " traceparent="


EventCause: TypeAlias = tuple[str | None, str | None, str | None, int | None]
"""Correlation id, causation id, ordering key and version."""


class Event:
    """Something that happened, as every handler sees it.

    All subscriptions share one object, so treat it as read-only; `data` enforces it (see
    `nexus.events.payload`). It is no dataclass, because the frozen ones take three times as long
    to build, and identity and time are rendered only when they are read.

    Attributes:
        name: Dot-separated segments, such as `user.created`.
        data: The JSON data, a read-only `dict`.
        source: The plugin that published it, or `"nexus"`.
        position: Its place in the durable log; no attribute of an event that is not in it.
        letter: The id of the dead letter that is tried again with it; as `position`.
    """

    __slots__ = (
        "_cause",
        "_id",
        "_serial",
        "_time_ns",
        "data",
        "letter",
        "name",
        "position",
        "source",
    )

    position: int
    letter: str

    def __init__(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        source: str = "nexus",
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> None:
        self.name = name
        self.data: EventData = freeze(data)
        self.source = source
        # With ordering key and version, so that the many events without any of it share one object.
        self._cause: EventCause = (
            (correlation_id, causation_id, None, None)
            if correlation_id or causation_id
            else _NO_CAUSE
        )
        self._id = ""
        self._time_ns = time_ns()
        self._serial = next_serial()

    @property
    def id(self) -> str:
        """A UUID version 7: unique, and sorted by time."""
        if not self._id:
            self._id = render_id(self._time_ns, self._serial)
        return self._id

    @property
    def ordering_key(self) -> str | None:
        """What orders it: a durable subscription handles events of one key one after another."""
        return self._cause[2]

    @ordering_key.setter
    def ordering_key(self, key: str | None) -> None:
        self._cause = (*self._cause[:2], key, self._cause[3])

    @property
    def version(self) -> int | None:
        """The version of its data, as the publisher's manifest has it; None where it has none."""
        return self._cause[3]

    @version.setter
    def version(self, version: int | None) -> None:
        self._cause = (*self._cause[:3], version)

    def note(self, key: str | None, version: int | None, traceparent: str | None) -> None:
        """Give it ordering key, version and span, as far as there are any."""
        if key is not None:
            self.ordering_key = key
        if version is not None:
            self.version = version
        if traceparent is not None:
            self.traceparent = traceparent

    @property
    def time_ns(self) -> int:
        """When it was published, in nanoseconds since the epoch."""
        return self._time_ns

    @property
    def timestamp(self) -> datetime:
        """When it was published, in UTC."""
        return datetime.fromtimestamp(self._time_ns / 1e9, UTC)

    @property
    def correlation_id(self) -> str:
        """What all events of one piece of work share; an event that begins one uses its own id."""
        return self._cause[0] or self.id

    @property
    def causation_id(self) -> str | None:
        """The id of the event whose handler published this one."""
        told = self._cause[1]
        if told is None or _TRACED not in told:
            return told
        return told.partition(_TRACED)[0] or None

    @property
    def traceparent(self) -> str | None:
        """The span in which it was published, as W3C has it; None where nobody traces."""
        told = self._cause[1]
        return None if told is None else told.partition(_TRACED)[2] or None

    @traceparent.setter
    def traceparent(self, traceparent: str) -> None:
        # With the id of the cause, so that it goes wherever that goes, and is in nobody's way.
        before = self._cause
        self._cause = (before[0], f"{self.causation_id or ''}{_TRACED}{traceparent}", *before[2:])

    @property
    def cause(self) -> EventCause:
        """Ids of correlation and causation, key and version as given; None where they were not.

        That of causation with the span behind it, where one was given.
        """
        return self._cause

    def dict(self) -> "dict[str, Any]":
        """Give the event as JSON-ready data that belongs to the caller."""
        return {
            "id": self.id,
            "name": self.name,
            "data": plain(self.data),
            "source": self.source,
            "version": self.version,
            "timestamp": self.timestamp.isoformat(),
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
        }

    @override
    def __repr__(self) -> str:
        return f"<Event {self.name} {self.id} from {self.source}>"


_allocate = Event.__new__


def new_event(
    name: str,
    data: Mapping[str, Any] | None,
    source: str,
    correlation_id: str | None,
    causation_id: str | None,
    max_bytes: int = DEFAULT_LIMIT,
) -> Event:
    """Do what `Event(...)` does, for the bus.

    Filling the object from outside, and freezing flat data on the spot, spares the calls of
    `__init__` and `freeze`: a tenth of all that publishing to one subscription costs.

    Raises:
        EventDataInvalid: If the data is not a mapping of JSON data.
        EventTooLarge: If it takes more than `max_bytes` as JSON.
    """
    event = _allocate(Event)
    event.name = name
    event.source = source
    has_cause = correlation_id or causation_id
    cause = (correlation_id, causation_id, None, None) if has_cause else _NO_CAUSE
    event._cause = cause  # noqa: SLF001 - this is a constructor
    event._id = ""  # noqa: SLF001 - as above
    event._time_ns = time_ns()  # noqa: SLF001 - as above
    event._serial = next_serial()  # noqa: SLF001 - as above
    if type(data) is dict and len(data) <= SMALL_FIELDS:
        for key, value in data.items():
            kind = type(value)
            if kind is str:
                if len(value) > SMALL_TEXT:
                    break
            elif kind not in ATOMS and (kind is not float or value - value != 0.0):
                break  # A difference of 0 has no number that is infinite or none.
            if key not in known_keys:
                break
        else:
            event.data = EventData(data)
            return event
    event.data = freeze(data)
    check_size(name, event.data, max_bytes)
    learn_keys(event.data)
    return event


def restored_event(
    *,
    event_id: str,
    name: str,
    data: Mapping[str, Any],
    source: str,
    time_ns: int,
    cause: EventCause,
) -> Event:
    """Give an event again that was published before, as it was kept.

    Raises:
        EventDataInvalid: The data is not a mapping of JSON data.
    """
    event = _allocate(Event)
    event.name = name
    event.source = source
    event.data = freeze(data)
    event._id = event_id  # noqa: SLF001 - this is a constructor
    event._time_ns = time_ns  # noqa: SLF001 - as above
    event._cause = cause  # noqa: SLF001 - as above
    return event
