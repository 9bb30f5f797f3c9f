"""The events of the durable log in a NATS JetStream stream."""

from nexus.events.engines.nats.journal import NatsJournal

__all__ = ["NatsJournal"]
