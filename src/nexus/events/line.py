"""Publishers that stand in line for a place in a full mailbox."""

import asyncio
from typing import TYPE_CHECKING

from nexus.events.dead_letters import DeadReason
from nexus.events.event import Event

if TYPE_CHECKING:
    from nexus.events.mailbox import Mailbox


class Waiting:
    """One publisher in line.

    Attributes:
        mailbox: The mailbox; another one when a successor has taken it over.
        event: The event to put in.
        settled: Done when the publisher may go on.
    """

    __slots__ = ("event", "mailbox", "settled")

    def __init__(self, mailbox: "Mailbox", event: Event) -> None:
        self.mailbox = mailbox
        self.event = event
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self) -> None:
        """Let the publisher go on."""
        if not self.settled.done():
            self.settled.set_result(None)

    def give_up(self, reason: DeadReason) -> None:
        """Leave the line, if still in it, and make the event a dead letter."""
        if self.mailbox.withdraw(self):
            self.mailbox.bury(self.event, reason)
