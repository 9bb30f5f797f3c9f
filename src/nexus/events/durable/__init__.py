"""The durable log: its state in the application's database, its events in a journal."""

from nexus.events.durable.journal import Backlog, Journal, Place, Placed
from nexus.events.durable.log import DurableLog

__all__ = ["Backlog", "DurableLog", "Journal", "Place", "Placed"]
