"""The events of the durable log in a Redis stream."""

from nexus.events.engines.redis.journal import RedisJournal

__all__ = ["RedisJournal"]
