"""A dead letter in the durable log."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from nexus.events.event import Event
from nexus.events.log.key import SubscriptionKey


class BuriedState(StrEnum):
    """What is to become of a dead letter."""

    DEAD = "dead"
    RETRYING = "retrying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buried:
    """One event that a durable subscription was not able to handle.

    Attributes:
        id: Its own identifier; an event may be a dead letter of several subscriptions.
        key: The subscription.
        event: The event.
        reason: Why it was given up; see `nexus.events.dead_letters.DeadReason`.
        error: The last error as `Type: text`; empty when there was none.
        traceback: The last traceback, at a bounded length.
        attempts: How often a handler has tried.
        time_ns: When it was given up, in nanoseconds since the epoch.
        state: Whether it is to be tried again.
    """

    id: str
    key: SubscriptionKey
    event: Event
    reason: str
    error: str
    traceback: str
    attempts: int
    time_ns: int
    state: BuriedState = BuriedState.DEAD

    @property
    def owner(self) -> str:
        """The plugin that subscribed."""
        return self.key.plugin

    @property
    def pattern(self) -> str:
        """The subscription's pattern."""
        return self.key.pattern

    def dict(self) -> "dict[str, Any]":
        """Give the letter as JSON-ready data."""
        return {
            "id": self.id,
            "event": self.event.dict(),
            "pattern": self.key.pattern,
            "owner": self.key.plugin,
            "reason": self.reason,
            "error": self.error,
            "traceback": self.traceback,
            "attempts": self.attempts,
            "time": datetime.fromtimestamp(self.time_ns / 1e9, UTC).isoformat(),
            "state": str(self.state),
            "durable": True,
        }
