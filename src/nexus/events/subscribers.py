"""The subscriptions of a bus: how they come, follow one another, and go."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from functools import partial

from nexus.errors import SubscriptionClosed
from nexus.events.dead_letters import DeadReason
from nexus.events.event import Event
from nexus.events.handlers import Handler
from nexus.events.line import Waiting
from nexus.events.log.delivery import DurableDelivery
from nexus.events.log.event_log import EventLog
from nexus.events.log.key import SubscriptionKey
from nexus.events.mailbox import Mailbox
from nexus.events.pattern import check_pattern
from nexus.events.quiet import all_quiet
from nexus.events.routes import Routes
from nexus.events.settings import SubscriptionOptions
from nexus.events.stand_in import StandIn
from nexus.events.subscription import Subscription
from nexus.events.surroundings import Surroundings
from nexus.events.trie import PatternTrie


class Subscribers:
    """Makes subscriptions and says which of them are live.

    A subscription is made (`subscription`), goes live (`attach`), is succeeded (`replace`), and
    ends (`drain`); the steps between are atomic, as they never suspend.

    Args:
        surroundings: What all mailboxes share.
        log: Keeps events for durable subscriptions; without one, none is durable.

    Attributes:
        durable: Takes events from the log to mailboxes; None without a log.
    """

    def __init__(self, surroundings: Surroundings, log: EventLog | None) -> None:
        self._surroundings = surroundings
        self.durable = None if log is None else DurableDelivery(log)
        self._routes = Routes() if log is None else Routes(log.wants)
        if log is not None:
            log.when_wants_change(self._routes.clear)
            log.when_heard(self._hear)
        self._undrained: dict[Subscription, None] = {}
        self._settling: set[asyncio.Task[None]] = set()
        self._hearing: set[Subscription] = set()
        self._everywhere: PatternTrie[Subscription] = PatternTrie()

    def subscription(
        self,
        pattern: str,
        handler: Handler,
        *,
        owner: str,
        options: SubscriptionOptions | None = None,
        context: Context | None = None,
        durable: bool = False,
    ) -> Subscription:
        """Make a subscription that is not live yet.

        Args:
            pattern: The event names to have; see `nexus.events.pattern`.
            handler: Called with the event. A plain function runs in a thread.
            owner: The plugin that subscribes.
            options: How it wants its events.
            context: The context variables that the handler sees: a copy of them for each worker.
                By default those of this moment.
            durable: Whether it has its events from the log, where owner and pattern are declared.

        Raises:
            EventPatternInvalid: If the pattern is none.
            TypeError: If the handler cannot be called.
        """
        check_pattern(pattern)
        if not callable(handler):
            raise TypeError(f"an event handler is called with the event; got {handler!r}")
        options = options or SubscriptionOptions()
        mailbox = Mailbox(
            pattern=pattern,
            owner=owner,
            handler=handler,
            options=options,
            surroundings=self._surroundings,
            context=context,
            ledger=self.durable.pump(SubscriptionKey(owner, pattern))
            if durable and self.durable is not None
            else None,
        )
        return Subscription(
            pattern=pattern, owner=owner, handler=handler, options=options, mailbox=mailbox
        )

    def stand_in(
        self, pattern: str, *, owner: str, besides: Sequence[str], ring: Callable[[], None]
    ) -> Subscription:
        """Make a subscription that is not live yet and holds events for a plugin to come.

        Args:
            pattern: The event names to hold.
            owner: The plugin.
            besides: The plugin's durable subscriptions, whose events wait in the log instead.
            ring: Called when an event has come.
        """
        mailbox = StandIn(
            pattern=check_pattern(pattern),
            owner=owner,
            besides=besides if self.durable is not None else (),
            surroundings=self._surroundings,
            ring=ring,
        )
        return Subscription(
            pattern=pattern,
            owner=owner,
            handler=mailbox.handler,
            options=SubscriptionOptions(),
            mailbox=mailbox,
        )

    async def hear(self, subscription: Subscription) -> None:
        """Have other processes' events come here that a subscription wants of every worker.

        It is for once in its life, before it goes live; when that has been awaited, all processes
        know it. Other subscriptions are left as they are.
        """
        if subscription.is_everywhere and self.durable is not None:
            await self.durable.log.hear(subscription.pattern)
            self._hearing.add(subscription)

    def _hear(self, events: list[Event]) -> None:
        """Put what others have published into the mailboxes that want it of every worker."""
        for event in events:
            full = [
                each.mailbox.stand_in_line(event)
                for each in self._everywhere.find(event.name)
                if not each.mailbox.put(event)
            ]
            if full:
                task = asyncio.get_running_loop().create_task(
                    self._wait_for_room(full), name="nexus-events:hear", context=Context()
                )
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)

    async def _wait_for_room(self, line: Sequence[Waiting]) -> None:
        reason = DeadReason.PUBLISHER_CANCELLED
        try:
            await asyncio.wait(
                [waiting.settled for waiting in line],
                timeout=self._surroundings.settings.publish_timeout,
            )
            reason = DeadReason.MAILBOX_FULL
        finally:
            for waiting in line:
                waiting.give_up(reason)

    def attach(self, subscriptions: Iterable[Subscription]) -> None:
        """Make subscriptions live, all or none.

        Raises:
            SubscriptionClosed: If one of them has been drained.
        """
        self.replace((), tuple(subscriptions))

    def detach(self, subscriptions: Iterable[Subscription]) -> None:
        """Give subscriptions no more events; `drain` ends them."""
        self.replace(tuple(subscriptions), ())

    def replace(self, old: Sequence[Subscription], new: Sequence[Subscription]) -> None:
        """Let new subscriptions take the place of old ones in one step.

        A new one with the pattern of an old one inherits what waits there, in order, and, if it
        handles one event at a time, begins when the old one has finished the event in hand. (An
        event that the old one would have tried again goes to the new one, to be tried afresh.) An
        old one without a successor keeps what waits there. `drain` the old ones afterwards.

        Raises:
            SubscriptionClosed: If a new one has been drained; nothing has changed then.
        """
        for subscription in new:
            if subscription.mailbox.closed:
                raise SubscriptionClosed(owner=subscription.owner, pattern=subscription.pattern)
        self._routes.remove(old)
        self._routes.add(new)
        self._replace_everywhere(old, new)
        for subscription in new:
            subscription.mailbox.live = True
            self._undrained[subscription] = None
        _let_inherit(old, new)
        if self.durable is not None:
            for subscription in new:
                self.durable.attach(subscription.mailbox)
            for subscription in old:
                self.durable.detach(subscription.mailbox)

    def _replace_everywhere(self, old: Sequence[Subscription], new: Sequence[Subscription]) -> None:
        for each in old:
            if each.is_everywhere and each.live:
                self._everywhere.remove(each.pattern, each)
        for each in new:
            if each.is_everywhere and not each.live:
                self._everywhere.add(each.pattern, each)

    async def drain(
        self,
        subscriptions: Iterable[Subscription],
        timeout: float,
    ) -> int:
        """Let subscriptions finish what waits for them, then end their workers.

        Live ones are detached first. What is not handled in time becomes a dead letter. A handler
        that drains its own subscription cannot wait for itself: what waits is handled after it.

        Args:
            subscriptions: Those to end.
            timeout: Seconds to wait.

        Returns:
            How many events were not handled.
        """
        detached = tuple(subscriptions)
        self.detach(detached)
        caller, ending = asyncio.current_task(), list[Subscription]()
        for each in detached:
            if each.mailbox.is_worked_by(caller):
                each.mailbox.when_quiet().add_done_callback(partial(self._ended_by_itself, each))
            else:
                ending.append(each)
        await all_quiet(lambda: [each.mailbox for each in ending], timeout)
        unhandled = await asyncio.gather(*(each.mailbox.close() for each in ending))
        for each in ending:
            self.forget(each)
            if self.durable is not None:
                await self.durable.settle(each.mailbox)
        return sum(unhandled)

    def forget(self, subscription: Subscription) -> None:
        """Count a subscription no longer that has been detached, and whose work is done."""
        if not subscription.live:
            self._undrained.pop(subscription, None)
            if subscription in self._hearing and self.durable is not None:
                self._hearing.discard(subscription)
                self.durable.log.hear_no_more(subscription.pattern)

    def _ended_by_itself(self, subscription: Subscription, _quiet: object) -> None:
        self.forget(subscription)
        if self.durable is not None:
            settling = self.durable.settle(subscription.mailbox)
            task = asyncio.get_running_loop().create_task(
                settling, name=f"nexus-events:{subscription.owner}:settle", context=Context()
            )
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    def retry_now(self) -> int:
        """Try all events now that wait to be tried again, and give their number."""
        return sum(worker.cut_nap() for each in self._undrained for worker in each.mailbox.workers)


def _let_inherit(old: Sequence[Subscription], new: Sequence[Subscription]) -> None:
    heirs = list(new)
    for subscription in old:
        heir = next((each for each in heirs if each.pattern == subscription.pattern), None)
        if heir is not None and not subscription.mailbox.closed:
            heirs.remove(heir)
            heir.take_over(subscription)
        subscription.mailbox.detach()
