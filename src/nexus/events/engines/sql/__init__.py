"""The durable log in the application's database."""

from nexus.events.engines.sql.log import SqlEventLog

__all__ = ["SqlEventLog"]
