"""The event bus: what plugins tell each other, and ask each other."""

from nexus.events.bus import EventBus
from nexus.events.cause import Cause, correlation_scope, current_cause, pinned_context
from nexus.events.dead_letters import DeadLetter, DeadLetters, DeadReason
from nexus.events.event import Event
from nexus.events.figures import BusFigures, SubscriptionFigures
from nexus.events.handlers import Handler
from nexus.events.pattern import check_name, check_pattern, matches
from nexus.events.payload import EventData, EventList
from nexus.events.recent import RecentEvents
from nexus.events.settings import BusSettings, SubscriptionOptions
from nexus.events.subscription import Subscription

__all__ = [
    "BusFigures",
    "BusSettings",
    "Cause",
    "DeadLetter",
    "DeadLetters",
    "DeadReason",
    "Event",
    "EventBus",
    "EventData",
    "EventList",
    "Handler",
    "RecentEvents",
    "Subscription",
    "SubscriptionFigures",
    "SubscriptionOptions",
    "check_name",
    "check_pattern",
    "correlation_scope",
    "current_cause",
    "matches",
    "pinned_context",
]
