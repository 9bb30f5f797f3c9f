"""What a plugin that sleeps has in its place on the bus: it keeps events, and wakes the plugin."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Final

from nexus.errors import NexusError, PluginNotRunning
from nexus.events import EventBus, Subscription
from nexus.events.log import EventLog, EventStream, SubscriptionKey
from nexus.events.stand_in import StandIn, give
from nexus.manifest.event_patterns import covers

if TYPE_CHECKING:
    from nexus.plugins.state import PluginStatus

logger = logging.getLogger(__name__)

_NS: Final = 1_000_000_000
_PAUSE: Final = 1.0


class Doorbell:
    """Starts a plugin by the first event that its manifest names, and loses none meanwhile.

    What a durable subscription wants waits in the log anyway: there somebody only has to look
    whether something waits, one process of the cluster at a time. All else is held in memory by
    stand-ins of the plugin's subscriptions, until it runs or cannot.

    Args:
        plugin: The plugin's name.
        bus: The application's bus.
        limit: Seconds that an event is held.
        status: Gives its state.

    Attributes:
        ring: Has the plugin started; does nothing until it is set.
    """

    def __init__(
        self,
        plugin: str,
        bus: EventBus,
        *,
        limit: float,
        status: "Callable[[], PluginStatus]",
    ) -> None:
        self._plugin = plugin
        self._bus = bus
        self._limit = limit
        self.ring: Callable[[], None] = _nothing
        self._status = status
        self._patterns: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._stand_ins: list[Subscription] = []
        self._watches: dict[asyncio.Task[None], EventStream | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    # While it sleeps

    def hold(self, uses: Sequence[str], durable: Sequence[str]) -> None:
        """Hold what comes from now on, and go on holding what came before.

        Args:
            uses: Patterns of the events that start the plugin.
            durable: Its durable subscriptions.
        """
        patterns = (uses, durable)
        if patterns == self._patterns:
            return
        before, self._patterns = self._stand_ins, patterns
        self._stand_ins = [
            self._bus.stand_in(
                pattern, owner=self._plugin, besides=patterns[1], ring=self._has_come
            )
            for pattern in dict.fromkeys(patterns[0])
            if pattern not in patterns[1]
        ]
        self._bus.replace((), self._stand_ins)
        self._give(before, self._stand_ins)

    async def watch(self, uses: Sequence[str], durable: Sequence[str]) -> None:
        """Hold what comes, and look whether something waits in the log; as `hold`."""
        before = self._patterns
        self.hold(uses, durable)
        if self._patterns != before:
            await self._end_watches()
        log = None if self._bus.durable is None else self._bus.durable.log
        if log is None or any(not (each.done() or each.cancelling()) for each in self._watches):
            return
        is_kept = await self._declare(log, durable)
        self._watches = {}
        watched = [each for each in durable if any(covers(use, each) for use in uses)]
        streams: list[EventStream | None] = [
            log.stream(SubscriptionKey(self._plugin, each)) for each in watched
        ]
        for stream in streams or ([] if is_kept else [None]):
            task = asyncio.get_running_loop().create_task(
                self._look(log, durable, stream),
                name=f"nexus.doorbell.{self._plugin}",
                context=Context(),
            )
            self._watches[task] = stream

    async def _declare(self, log: EventLog, durable: Sequence[str]) -> bool:
        """Have events kept by a manifest that a reload of the sleeping plugin has brought."""
        if all(log.keeps(SubscriptionKey(self._plugin, each)) for each in durable):
            return True
        try:
            await log.declare(self._plugin, durable)
        except NexusError as error:
            logger.warning(
                "Events cannot be kept yet for a plugin that sleeps",
                extra={"plugin": self._plugin, "reason": str(error)},
            )
            return False
        return True

    async def _look(
        self, log: EventLog, durable: Sequence[str], stream: EventStream | None
    ) -> None:
        while True:
            if await self._declare(log, durable):
                break
            await asyncio.sleep(_PAUSE)
        if stream is not None:
            await stream.wait_for_events()
            self.ring()

    def _has_come(self) -> None:
        if self._timer is None:
            self._set_timer(self._limit)
        self.ring()

    # When it starts

    def look_no_more(self) -> None:
        """Leave what waits in the log to the plugin, which is being started.

        The subscriptions stay with this process, so that no other starts it for the same events.
        """
        for task in self._watches:
            task.cancel()

    def started(self, successors: Sequence[Subscription]) -> None:
        """Give what was held to the subscriptions that are live now."""
        self._forget_watches()
        self._stop_timer()
        before, self._stand_ins, self._patterns = self._stand_ins, [], ((), ())
        self._give(before, successors)

    # When it does not start

    async def rest(self) -> None:
        """Hold nothing any longer: what was held becomes dead letters, the log has all else."""
        self._stop_timer()
        before, self._stand_ins, self._patterns = self._stand_ins, [], ((), ())
        self._bus.detach(before)
        for each in before:
            _mailbox(each).give_up(self._error())
            self._bus.forget(each)
        await self._end_watches()

    # Inside

    async def _end_watches(self) -> None:
        watches = self._forget_watches()
        if watches:
            await asyncio.wait(watches)
            await asyncio.gather(*(each.leave() for each in watches.values() if each is not None))

    def _give(self, before: Sequence[Subscription], successors: Sequence[Subscription]) -> None:
        """Put what was held where it belongs, and tell of what nobody wants."""
        self._bus.detach(before)
        # Patterns may overlap; an id sorts by time.
        held = {event.id: event for each in before for event in _mailbox(each).take()}
        for each in before:
            self._bus.forget(each)
        ranked = sorted(successors, key=lambda each: each.rank)
        mailboxes = [each.mailbox for each in ranked]
        unwanted = give([held[each] for each in sorted(held)], mailboxes)
        if unwanted:
            logger.warning(
                "Events have started a plugin that has no handler for them",
                extra={"plugin": self._plugin, "events": unwanted},
            )

    def _forget_watches(self) -> dict[asyncio.Task[None], EventStream | None]:
        watches, self._watches = self._watches, {}
        for task in watches:
            task.cancel()
        return watches

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        until = time.time_ns() - int(self._limit * _NS)
        left = [_mailbox(each).give_up(self._error(), until) for each in self._stand_ins]
        first = min((each for each in left if each is not None), default=None)
        if first is not None:
            self._set_timer(max((first - until) / _NS, 0.0))

    def _error(self) -> PluginNotRunning:
        status = self._status()
        return PluginNotRunning(name=self._plugin, state=str(status.state), reason=status.reason)


def _nothing() -> None:
    """Start nothing."""


def _mailbox(subscription: Subscription) -> StandIn:
    mailbox = subscription.mailbox
    if not isinstance(mailbox, StandIn):
        raise TypeError(f"{subscription!r} is no stand-in.")
    return mailbox
