"""A subscription: who wants which events, and how it fares."""

import itertools

from typing_extensions import override

from nexus.events.figures import SubscriptionFigures
from nexus.events.handlers import Handler
from nexus.events.mailbox import Mailbox
from nexus.events.settings import SubscriptionOptions
from nexus.events.succession import hand_over

_order = itertools.count()


class Subscription:
    """What `EventBus.subscription` gives; the bus makes it live, replaces it and drains it.

    Attributes:
        pattern: The pattern of event names.
        owner: The plugin that subscribed.
        handler: What it gave to be called.
        options: How it wants its events.
        mailbox: Where its events wait.
        rank: Its place among those that an event goes to: priority first, then age.
    """

    __slots__ = ("__weakref__", "handler", "mailbox", "options", "owner", "pattern", "rank")

    def __init__(
        self,
        *,
        pattern: str,
        owner: str,
        handler: Handler,
        options: SubscriptionOptions,
        mailbox: Mailbox,
    ) -> None:
        self.pattern = pattern
        self.owner = owner
        self.handler = handler
        self.options = options
        self.mailbox = mailbox
        self.rank = (-options.priority, next(_order))

    @property
    def is_everywhere(self) -> bool:
        """Whether it wants what any process of the cluster publishes."""
        return self.options.scope == "every_worker"

    @property
    def live(self) -> bool:
        """Whether it is given events."""
        return self.mailbox.live

    @property
    def taken_over(self) -> bool:
        """Whether a successor goes on with its figures."""
        return self.mailbox.inherited

    def take_over(self, old: "Subscription") -> None:
        """Take the place and the waiting events of another subscription."""
        self.rank = (-self.options.priority, old.rank[1])
        hand_over(old.mailbox, self.mailbox)

    def figures(self) -> SubscriptionFigures:
        """Say how it fares at this moment."""
        mailbox, counters = self.mailbox, self.mailbox.counters
        return SubscriptionFigures(
            owner=self.owner,
            pattern=self.pattern,
            live=mailbox.live,
            depth=len(mailbox.queue),
            capacity=mailbox.limit,
            in_hand=mailbox.in_hand,
            blocked=len(mailbox.line),
            left_behind=len(mailbox.left_behind),
            paused=mailbox.left_behind.too_many,
            delivered=mailbox.delivered,
            failed=counters.failed,
            retried=counters.retried,
            timed_out=counters.timed_out,
            dead_lettered=counters.dead_lettered,
        )

    @override
    def __repr__(self) -> str:
        return f"<Subscription of {self.owner} to {self.pattern}>"
