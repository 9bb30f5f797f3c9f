"""What hears of the events that come to a mailbox from the durable log."""

from typing import Protocol

from nexus.events.dead_letters import DeadReason
from nexus.events.event import Event
from nexus.events.handlers import AsyncHandler


class Ledger(Protocol):
    """Takes note of what became of events, so that none is forgotten and none comes again."""

    def watching(self, handler: AsyncHandler) -> AsyncHandler:
        """Give a handler that tells when it is through with an event."""

    def give_up(
        self, event: Event, reason: DeadReason, error: BaseException | None, attempts: int
    ) -> None:
        """Note that an event was not handled."""
