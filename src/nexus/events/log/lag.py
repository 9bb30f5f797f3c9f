"""How far a durable subscription is behind."""

from dataclasses import dataclass

from nexus.events.log.key import SubscriptionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How a durable subscription fares in the whole cluster.

    Attributes:
        key: The subscription.
        waiting: How many events wait for it or are in hand.
        oldest: Seconds since the oldest of them was published; 0.0 when there is none.
        dead: How many dead letters it has.
        worker: The process that handles its events; empty when none does.
        enabled: Whether its plugin is enabled.
        size: How many bytes of the log are kept for it.
    """

    key: SubscriptionKey
    waiting: int
    oldest: float
    dead: int
    worker: str
    enabled: bool = True
    size: int = 0
