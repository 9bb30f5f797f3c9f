"""Why an event is published: the event in hand, or the request being served.

A context variable points at the worker that runs the handler, and the worker knows its event. It
is set once for each worker, since setting it for each event costs more than the delivery. A task
that a handler starts inherits the variable but may outlive the event, so the bus believes it only
in the worker's own task; `pinned_context` fixes the cause for a task that is to carry it on.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Protocol

from nexus.events.event import Event


class EventInHand(Protocol):
    """What a worker tells: its task, and the event that it is handling."""

    task: "asyncio.Task[None] | None"
    current: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What an event that is published now belongs to.

    Attributes:
        correlation_id: The piece of work that it is part of.
        causation_id: The event that made it happen, if it was one.
    """

    correlation_id: str
    causation_id: str | None = None


origin: ContextVar[EventInHand | Cause | None] = ContextVar("nexus_event_origin", default=None)


def current_cause() -> Cause | None:
    """Give the cause of what the running task does, or None when it is not known."""
    found = origin.get()
    if found is None or isinstance(found, Cause):
        return found
    event = found.current
    if event is None or asyncio.current_task() is not found.task:
        return None
    return Cause(correlation_id=event.correlation_id, causation_id=event.id)


def with_cause(
    correlation_id: str | None, causation_id: str | None
) -> tuple[str | None, str | None]:
    """Give the two ids, those that are missing from the cause of what the running task does."""
    cause = current_cause()
    if cause is None:
        return correlation_id, causation_id
    return correlation_id or cause.correlation_id, causation_id or cause.causation_id


@contextmanager
def correlation_scope(correlation_id: str) -> Iterator[None]:
    """Give the events that are published inside this correlation id, such as a request's id.

    Handlers do not inherit it: they have the correlation id of the event in their hand.
    """
    token = origin.set(Cause(correlation_id=correlation_id))
    try:
        yield
    finally:
        origin.reset(token)


def pinned_context(context: Context | None = None) -> Context:
    """Give a context for a new task, in which the cause of this moment stays.

    A task factory or `create_task` passes it on, so that what a handler sets going carries the
    right cause however long it takes, and does not keep the handler's worker in memory.

    Args:
        context: The context to copy; the current one by default.
    """
    cause = current_cause()
    copy = copy_context() if context is None else context.copy()
    copy.run(origin.set, cause)
    return copy
