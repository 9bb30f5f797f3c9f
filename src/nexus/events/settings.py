"""How the bus and a subscription behave."""

from dataclasses import dataclass
from typing import Literal

from nexus.events.size import DEFAULT_LIMIT


def _require(*, condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """What holds for every subscription that does not say otherwise.

    Attributes:
        mailbox_size: How many events may wait for one subscription.
        publish_timeout: Seconds that a publisher waits for a full mailbox.
        handler_timeout: Seconds that a handler may take for one attempt. One watchdog looks after
            all of them, so it may come late by a quarter of that, and at most by one second.
        handler_grace: Seconds that a cancelled handler has to end, before it is left behind.
        max_abandoned: How many handlers of one subscription may be left behind, still running,
            until the subscription pauses.
        max_attempts: How often an event is tried, the first time included.
        retry_delay: Seconds before the second attempt; each further one doubles them.
        retry_max_delay: The longest delay, in seconds.
        dead_letter_limit: How many dead letters are kept; the oldest go first.
        recent_limit: How many published events are kept to look at.
        max_event_bytes: How large the data of one event may be, in bytes of JSON.
    """

    mailbox_size: int = 1000
    publish_timeout: float = 5.0
    handler_timeout: float = 30.0
    handler_grace: float = 1.0
    max_abandoned: int = 3
    max_attempts: int = 3
    retry_delay: float = 0.1
    retry_max_delay: float = 30.0
    dead_letter_limit: int = 1000
    recent_limit: int = 1000
    max_event_bytes: int = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        for name in ("mailbox_size", "max_attempts", "max_abandoned", "max_event_bytes"):
            _require(condition=getattr(self, name) >= 1, what=f"{name} must be at least 1")
        for name in ("dead_letter_limit", "recent_limit"):
            _require(condition=getattr(self, name) >= 0, what=f"{name} must not be negative")
        for name in ("handler_timeout", "handler_grace"):
            _require(condition=getattr(self, name) > 0, what=f"{name} must be positive")
        for name in ("publish_timeout", "retry_delay", "retry_max_delay"):
            _require(condition=getattr(self, name) >= 0, what=f"{name} must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionOptions:
    """How one subscription wants its events; None means as the bus has it.

    Attributes:
        concurrency: How many events may be handled at once; more than one gives up their order.
        priority: Higher ones are handed an event first, and are asked first by `request`. It does
            not delay the others: each subscription has a mailbox of its own.
        timeout: Seconds for one attempt.
        max_attempts: How often an event is tried, the first time included.
        mailbox_size: How many events may wait.
        scope: Whose events it has: `worker`, those that its own process publishes, or
            `every_worker`, those that any process of the cluster does, so that each worker has
            each of them. A durable subscription has those of the whole cluster, once.
    """

    concurrency: int = 1
    priority: int = 0
    timeout: float | None = None
    max_attempts: int | None = None
    mailbox_size: int | None = None
    scope: Literal["worker", "every_worker"] = "worker"

    def __post_init__(self) -> None:
        _require(
            condition=self.scope in ("worker", "every_worker"),
            what=f"scope must be 'worker' or 'every_worker', not {self.scope!r}",
        )
        _require(condition=self.concurrency >= 1, what="concurrency must be at least 1")
        for name in ("max_attempts", "mailbox_size"):
            value = getattr(self, name)
            _require(condition=value is None or value >= 1, what=f"{name} must be at least 1")
        _require(
            condition=self.timeout is None or self.timeout > 0, what="timeout must be positive"
        )
