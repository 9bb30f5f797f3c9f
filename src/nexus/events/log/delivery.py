"""Takes events from the log to the mailboxes of durable subscriptions."""

import asyncio

from nexus.events.log.event_log import EventLog
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.pump import Pump
from nexus.events.mailbox import Mailbox


class DurableDelivery:
    """A pump for each durable subscription that is served in this process.

    Args:
        log: Where the events are.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self._pumps: dict[SubscriptionKey, Pump] = {}

    def pump(self, key: SubscriptionKey) -> Pump:
        """Give the pump of a subscription; there is one for each."""
        pump = self._pumps.get(key)
        if pump is None:
            pump = self._pumps[key] = Pump(self.log.stream(key))
        return pump

    def attach(self, mailbox: Mailbox) -> None:
        """Give events to a mailbox from now on."""
        pump = mailbox.ledger
        if isinstance(pump, Pump):
            pump.attach(mailbox)

    def detach(self, mailbox: Mailbox) -> None:
        """Give a mailbox no more events; those that it has stay with it."""
        pump = mailbox.ledger
        if isinstance(pump, Pump):
            pump.detach(mailbox)

    async def settle(self, mailbox: Mailbox) -> None:
        """Give the subscription back once its last mailbox has been drained."""
        pump = mailbox.ledger
        if isinstance(pump, Pump) and pump.is_idle:
            await pump.stop()

    @property
    def is_settled(self) -> bool:
        """Whether everything was handled that the log has here and that is to be handled here."""
        return all(pump.is_settled for pump in self._pumps.values())

    def halt(self) -> None:
        """Take no more events out of the log."""
        for pump in self._pumps.values():
            pump.halt()

    async def stop(self) -> None:
        """Give all subscriptions back."""
        await asyncio.gather(*(each.stop() for each in self._pumps.values()))
