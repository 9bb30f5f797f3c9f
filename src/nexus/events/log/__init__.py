"""The durable log: what an engine promises, and how its events reach handlers."""

from nexus.events.log.buried import Buried, BuriedState
from nexus.events.log.condition import LogCondition
from nexus.events.log.delivery import DurableDelivery
from nexus.events.log.event_log import EventLog, EventStream
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.lag import Lag
from nexus.events.log.settings import LogSettings

__all__ = [
    "Buried",
    "BuriedState",
    "DurableDelivery",
    "EventLog",
    "EventStream",
    "Lag",
    "LogCondition",
    "LogSettings",
    "SubscriptionKey",
]
