"""What the bus tells of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFigures:
    """How a subscription fares; the counts go on when a successor takes it over.

    Attributes:
        owner: The plugin that subscribed.
        pattern: What it subscribed to.
        live: Whether it is given events.
        depth: How many events wait.
        capacity: How many may wait.
        in_hand: How many are being handled, or wait to be tried again.
        blocked: How many publishers wait for room.
        left_behind: How many handlers were given up and still run.
        paused: Whether there are so many of those that the subscription waits for one to end.
        delivered: How many events were handled.
        failed: How many attempts failed, the timed-out ones included.
        retried: How many attempts were second or later ones.
        timed_out: How many attempts took too long.
        dead_lettered: How many events were given up.
    """

    owner: str
    pattern: str
    live: bool
    depth: int
    capacity: int
    in_hand: int
    blocked: int
    left_behind: int
    paused: bool
    delivered: int
    failed: int
    retried: int
    timed_out: int
    dead_lettered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFigures:
    """How the bus fares.

    Attributes:
        published: How many events were published.
        requested: How many requests were made.
        dead_letters: How many dead letters are kept.
        dead_letters_evicted: How many had to make room for newer ones.
        subscriptions: The figures of each subscription that is live or not yet drained.
    """

    published: int
    requested: int
    dead_letters: int
    dead_letters_evicted: int
    subscriptions: tuple[SubscriptionFigures, ...]


@dataclass(slots=True, kw_only=True)
class Counters:
    """What has happened to a subscription's events; a successor goes on with the same ones.

    Attributes:
        taken: How many events predecessors have taken out of their queues.
        spoiled: How many of all that were taken were not handled.
        failed: As in `SubscriptionFigures`, and so are the others.
        retried: As above.
        timed_out: As above.
        dead_lettered: As above.
    """

    taken: int = 0
    spoiled: int = 0
    failed: int = 0
    retried: int = 0
    timed_out: int = 0
    dead_lettered: int = 0
