"""The events of the durable log in the application's database."""

from nexus.events.engines.sql.journal import SqlJournal

__all__ = ["SqlJournal"]
