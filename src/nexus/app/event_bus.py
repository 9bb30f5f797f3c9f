"""The event bus and its durable log, as the settings have them."""

from typing import TYPE_CHECKING

from nexus.config.event_engine import parse_engine
from nexus.data.database import Database
from nexus.events import BusSettings, EventBus
from nexus.events.durable import DurableLog, Journal
from nexus.events.engines.sql import SqlJournal
from nexus.events.log import LogSettings

if TYPE_CHECKING:
    from nexus.config import Settings


def event_bus_of(settings: "Settings", database: Database) -> EventBus:
    """Make an application's bus, with the log in its database."""
    events = settings.events
    log = DurableLog(
        database,
        journal_of(settings, database),
        LogSettings(
            retention=events.retention,
            size_limit=events.log_limit,
            dead_letter_limit=events.dead_letter_limit,
            when_away=events.when_away,
            publish_timeout=events.publish_timeout,
            lease=events.lease,
            alone=database.engine == "sqlite" and not settings.database.shared,
        ),
        home=SqlJournal(database),
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


def journal_of(settings: "Settings", database: Database) -> Journal:
    """Give what keeps the events of the durable log; it is not open.

    Raises:
        EventEngineDriverMissing: The library that the engine needs is not installed.
    """
    engine = parse_engine(settings.events.engine)
    stream = settings.events.stream
    # Imported when chosen: their libraries are extras, and cost each start something.
    if engine.kind == "nats":
        from nexus.events.engines.nats import NatsJournal

        return NatsJournal(engine, database, stream=stream, replicas=settings.events.replicas)
    if engine.kind == "redis":
        from nexus.events.engines.redis import RedisJournal

        return RedisJournal(engine, database, stream=stream)
    return SqlJournal(database)
