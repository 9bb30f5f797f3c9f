"""Errors about events."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError, did_you_mean
from nexus.errors.unavailable import Unavailable


class EventNotDeclared(NexusError):
    """A plugin published under a name that is not its own and not declared."""

    code = "event-not-declared"

    def __init__(self, *, plugin: str, event: str) -> None:
        super().__init__(plugin=plugin, event=event)

    @override
    def render(self) -> str:
        event, plugin = self.data["event"], self.data["plugin"]
        if event.split(".", 1)[0] in ("system", "plugin"):
            return f"Plugin {plugin!r} may not publish {event!r}: that name is the platform's."
        return (
            f"Plugin {plugin!r} may not publish {event!r}: it is neither under {plugin + '.'!r}"
            f' nor declared. Add "{event}" to "events.publishes" in manifest.json.'
        )


class EventNameInvalid(NexusError):
    """An event was published under something that is no event name."""

    code = "event-name-invalid"

    def __init__(self, *, name: object) -> None:
        super().__init__(name=str(name)[:300])

    @override
    def render(self) -> str:
        return (
            f"{self.data['name']!r} is no event name. Expected segments of letters, digits, '_'"
            " and '-', separated by dots, 255 characters at most, such as 'user.created'."
            " Wildcards are for subscriptions."
        )


class EventPatternInvalid(NexusError):
    """A subscription asked for something that is no event pattern."""

    code = "event-pattern-invalid"

    def __init__(self, *, pattern: object) -> None:
        super().__init__(pattern=str(pattern)[:300])

    @override
    def render(self) -> str:
        return (
            f"{self.data['pattern']!r} is no event pattern. Expected an event name in which '*'"
            " may stand for one whole segment, and '**' for the rest at the end, 255 characters"
            " at most, such as 'user.*' or 'user.**'."
        )


class EventDataInvalid(NexusError):
    """The data of an event or a reply is not JSON."""

    code = "event-data-invalid"

    def __init__(self, *, path: str, found: str, expected: str) -> None:
        super().__init__(path=path, found=found, expected=expected)

    @override
    def render(self) -> str:
        return (
            f"Event data at {self.data['path']} is {self.data['found']}; expected"
            f" {self.data['expected']}. Publish JSON: convert dates with isoformat(), and models"
            " with model_dump(mode='json')."
        )


class EventTooLarge(NexusError):
    """The data of an event is larger than the bus takes, or the server that is to have it."""

    code = "event-too-large"

    def __init__(self, *, event: str, limit: int, setting: str = "events.max_event_bytes") -> None:
        super().__init__(event=event, limit=limit, setting=setting)

    @override
    def render(self) -> str:
        return (
            f"The data of the event {self.data['event']!r} takes more than"
            f" {self.data['limit']} bytes as JSON, which is the limit ({self.data['setting']})."
            " Store what is large, and publish where it is."
        )


class EventDataReadOnly(NexusError, TypeError):
    """A handler tried to change the data of an event, which all handlers share."""

    code = "event-data-read-only"

    @override
    def render(self) -> str:
        return (
            "The data of an event is shared by all of its handlers and cannot be changed."
            " Take a copy: dict(event.data), or copy.deepcopy(event.data) for nested values."
        )


class BusNotRunning(NexusError):
    """The event bus was used before it had started or after it had stopped."""

    code = "bus-not-running"

    def __init__(self, *, operation: str) -> None:
        super().__init__(operation=operation)

    @override
    def render(self) -> str:
        return (
            f"The event bus is not running, so {self.data['operation']} cannot be done."
            " Expected it between start() and stop(). Do it earlier in shutdown, or later in"
            " start-up."
        )


class SubscriptionClosed(NexusError):
    """A subscription that was drained was to go live again."""

    code = "subscription-closed"

    def __init__(self, *, owner: str, pattern: str) -> None:
        super().__init__(owner=owner, pattern=pattern)

    @override
    def render(self) -> str:
        return (
            f"The subscription of {self.data['owner']!r} to {self.data['pattern']!r} has been"
            " drained and cannot go live again. Make a new one with subscription()."
        )


class NoResponder(NexusError):
    """Nobody answers this request."""

    code = "no-responder"

    def __init__(self, *, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name=name, known=tuple(known))

    @override
    def render(self) -> str:
        return (
            f"No running plugin answers the request {self.data['name']!r}."
            f"{did_you_mean(self.data['name'], self.data['known'])}"
            " Expected one subscription to exactly this name, whose handler returns the reply."
            " Enable the plugin that offers it, or list it under 'dependencies'."
        )


class RequestTimeout(NexusError, TimeoutError):
    """A provider did not answer in time."""

    code = "request-timeout"

    def __init__(self, *, name: str, owner: str, timeout: float) -> None:
        super().__init__(name=name, owner=owner, timeout=timeout)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['owner']!r} did not answer the request {self.data['name']!r}"
            f" within {self.data['timeout']:g} s. Ask with a longer timeout, or look at what its"
            " handler is waiting for: requests queue behind its other events."
        )


class RequestFailed(NexusError):
    """A provider failed while it worked on a request."""

    code = "request-failed"

    def __init__(self, *, name: str, owner: str, reason: str) -> None:
        super().__init__(name=name, owner=owner, reason=reason)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['owner']!r} failed to answer the request {self.data['name']!r}:"
            f" {self.data['reason']}. Expected its handler to return the reply as JSON data;"
            " its log has the details."
        )


class EventNotFound(NexusError):
    """No event that is kept has this id."""

    code = "event-not-found"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - the field's name in the API
        super().__init__(id=id)

    @override
    def render(self) -> str:
        return (
            f"There is no event {self.data['id']!r}. The last ones of each process are kept"
            " (events.recent_limit), and in the event log what durable subscriptions want"
            " (events.retention). List them to see what is there."
        )


class DeadLetterNotFound(NexusError):
    """No dead letter has this id."""

    code = "dead-letter-not-found"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - the field's name in the API
        super().__init__(id=id)

    @override
    def render(self) -> str:
        return (
            f"There is no dead letter {self.data['id']!r}. It was replayed or dropped, or newer"
            " ones took its place: only so many are kept. List them to see what is there."
        )


class ReplayRefused(NexusError):
    """A dead letter has no live subscription to go to."""

    code = "replay-refused"

    def __init__(self, *, id: str, owner: str, pattern: str) -> None:  # noqa: A002 - as above
        super().__init__(id=id, owner=owner, pattern=pattern)

    @override
    def render(self) -> str:
        return (
            f"Dead letter {self.data['id']!r} was not replayed: plugin {self.data['owner']!r} has"
            f" no live subscription to {self.data['pattern']!r}. Enable the plugin, then replay"
            " it; or drop it."
        )


class EventLogFull(NexusError):
    """The durable event log is at its size limit, and nothing in it may be removed."""

    code = "event-log-full"

    def __init__(self, *, event: str, size: int, limit: int) -> None:
        super().__init__(event=event, size=size, limit=limit)

    @override
    def render(self) -> str:
        return (
            f"The event {self.data['event']!r} was not published: the event log has"
            f" {self.data['size']} bytes that enabled plugins have not handled, and its limit is"
            f" {self.data['limit']} (events.log_limit). See who is behind with 'nexus events lag';"
            " let it catch up, disable it, or raise the limit."
        )


class SubscriptionUnknown(NexusError):
    """Somebody asked for a durable subscription that there is not."""

    code = "subscription-unknown"

    def __init__(self, *, plugin: str, pattern: str, known: Sequence[str] = ()) -> None:
        super().__init__(plugin=plugin, pattern=pattern, known=list(known))

    @override
    def render(self) -> str:
        wanted = f"{self.data['plugin']}:{self.data['pattern']}"
        hint = did_you_mean(wanted, self.data["known"])
        return (
            f"There is no durable subscription {wanted!r}.{hint} Expected PLUGIN:PATTERN as"
            " 'nexus events lag' lists them."
        )


class EventEngineUnavailable(Unavailable):
    """The server that has the events of the durable log cannot be reached.

    `passing` tells whether that may be over without anybody changing anything here.
    """

    code = "event-engine-unavailable"
    what = "The event log"

    def __init__(self, *, engine: str, location: str, reason: str, passing: bool = True) -> None:
        # Some servers end what they say with a full stop, and others do not.
        reason = reason.rstrip(". ")
        super().__init__(engine=engine, location=location, reason=reason, passing=passing)

    @override
    def render(self) -> str:
        return (
            f"The event log in {self.data['engine']} at {self.data['location']} cannot be used:"
            f" {self.data['reason']}. Expected a server that answers; see that it runs, and that"
            " events.engine names it."
        )


class EventEngineDriverMissing(NexusError):
    """The library that talks to the chosen engine is not installed."""

    code = "event-engine-driver-missing"

    def __init__(self, *, engine: str, library: str) -> None:
        super().__init__(engine=engine, library=library)

    @override
    def render(self) -> str:
        engine = self.data["engine"]
        return (
            f"events.engine asks for {engine}, which needs the library {self.data['library']}."
            f" Install Nexus with the extra {engine!r}: pip install '.[{engine}]' in a copy of the"
            " project."
        )


class EventEngineChanged(NexusError):
    """Events wait in another engine than the one that is asked for."""

    code = "event-engine-changed"

    def __init__(self, *, before: str, now: str, waiting: int | None) -> None:
        super().__init__(before=before, now=now, waiting=waiting)

    @override
    def render(self) -> str:
        waiting = self.data["waiting"]
        what = "Events may wait" if waiting is None else f"{waiting} events wait"
        return (
            f"{what} in the event log in {self.data['before']}, and events.engine says"
            f" {self.data['now']}: they would not be delivered. Run with the engine that was there"
            " before until `nexus events lag` shows nothing, or give them up with"
            " `nexus events switch`."
        )


class EventJournalTaken(NexusError):
    """The stream that the event log is to be in belongs to another application."""

    code = "event-journal-taken"

    def __init__(self, *, engine: str, location: str, stream: str) -> None:
        super().__init__(engine=engine, location=location, stream=stream)

    @override
    def render(self) -> str:
        stream = self.data["stream"]
        return (
            f"The stream {stream!r} in {self.data['engine']} at {self.data['location']} belongs to"
            " another application, or to this one with another database; neither may remove the"
            " other's events. Set events.stream to a name of its own, or take the stream over with"
            " `nexus events switch`."
        )


class EventScopeInvalid(NexusError):
    """A durable subscription asked for the events of every worker."""

    code = "event-scope-invalid"

    def __init__(self, *, plugin: str, pattern: str) -> None:
        super().__init__(plugin=plugin, pattern=pattern)

    @override
    def render(self) -> str:
        plugin, pattern = self.data["plugin"], self.data["pattern"]
        return (
            f"Plugin {plugin!r} subscribes to {pattern!r} with scope='every_worker', and its"
            " manifest declares the pattern as durable, which is once in the whole cluster. Take"
            ' it out of "events.subscribes", or leave the scope out.'
        )
