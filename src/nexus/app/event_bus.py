"""The event bus and its durable log, as the settings have them."""

from typing import TYPE_CHECKING

from nexus.data.database import Database
from nexus.events import BusSettings, EventBus
from nexus.events.durable import DurableLog
from nexus.events.engines.sql import SqlJournal
from nexus.events.log import LogSettings

if TYPE_CHECKING:
    from nexus.config import Settings


def event_bus_of(settings: "Settings", database: Database) -> EventBus:
    """Make an application's bus, with the log in its database."""
    events = settings.events
    log = DurableLog(
        database,
        SqlJournal(database),
        LogSettings(
            retention=events.retention,
            size_limit=events.log_limit,
            dead_letter_limit=events.dead_letter_limit,
            when_away=events.when_away,
            publish_timeout=events.publish_timeout,
            lease=events.lease,
            alone=database.engine == "sqlite" and not settings.database.shared,
        ),
    )
    bus = BusSettings(
        mailbox_size=events.mailbox_size,
        publish_timeout=events.publish_timeout,
        handler_timeout=events.handler_timeout,
        max_attempts=events.max_attempts,
        retry_delay=events.retry_delay,
        retry_max_delay=events.retry_max_delay,
        dead_letter_limit=events.dead_letter_limit,
        recent_limit=events.recent_limit,
        max_event_bytes=events.max_event_bytes,
    )
    return EventBus(bus, log=log)
