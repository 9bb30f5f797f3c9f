"""The event bus in memory."""

import asyncio
import copy
import random as random_module
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Self

from nexus.errors import BusNotRunning, NoResponder, ReplayRefused, SubscriptionClosed
from nexus.events.ask import Ask
from nexus.events.cause import origin, with_cause
from nexus.events.dead_letters import DeadLetters, DeadReason
from nexus.events.event import Event, new_event
from nexus.events.figures import BusFigures
from nexus.events.handlers import Handler
from nexus.events.line import Waiting
from nexus.events.log.delivery import DurableDelivery
from nexus.events.log.event_log import EventLog
from nexus.events.log.key import SubscriptionKey
from nexus.events.mailbox import Mailbox
from nexus.events.pattern import check_pattern
from nexus.events.quiet import all_quiet
from nexus.events.recent import RecentEvents
from nexus.events.reply import reply_to
from nexus.events.routes import LoggedRoute, Routes
from nexus.events.runs import RUN_LIMIT, OpenRun
from nexus.events.settings import BusSettings, SubscriptionOptions
from nexus.events.size import check_size
from nexus.events.subscription import Subscription
from nexus.events.surroundings import Surroundings
from nexus.events.watchdog import Watchdog


class EventBus:
    """Takes events to the mailboxes of their subscriptions, all in the event loop's thread.

    What a durable subscription wants goes by the log: it is there before `publish` returns. All
    else stays in memory.

    A subscription is made (`subscription`), goes live (`attach`), is succeeded (`replace`), and
    ends (`drain`); the steps between are atomic, as they never suspend.

    Args:
        settings: What holds where a subscription does not say otherwise.
        log: Keeps events for durable subscriptions; without one, none is durable.
        clock: Gives monotonic seconds, for the handlers' time limits.
        sleep: Waits before a retry.
        random: Gives a number from 0 to 1, for the jitter of retries.

    Attributes:
        settings: As given.
        durable: Takes events from the log to mailboxes; None without a log.
        dead_letters: What was given up.
        recent: What was published last.
        watchdog: What enforces the handlers' time limits.
    """

    def __init__(
        self,
        settings: BusSettings | None = None,
        *,
        log: EventLog | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.settings = settings or BusSettings()
        self.dead_letters = DeadLetters(self.settings.dead_letter_limit)
        self.recent = RecentEvents(self.settings.recent_limit)
        self.watchdog = Watchdog(clock)
        self._run = OpenRun()
        self._surroundings = Surroundings(
            settings=self.settings,
            dead_letters=self.dead_letters,
            watchdog=self.watchdog,
            open_run=self._run,
            sleep=sleep,
            random=random,
        )
        self.durable = None if log is None else DurableDelivery(log)
        self._routes = Routes() if log is None else Routes(log.wants)
        if log is not None:
            log.when_wants_change(self._routes.clear)
        self._undrained: dict[Subscription, None] = {}
        self._published = 0
        self._requested = 0
        self._remember = self.recent.add
        self._max_event_bytes = self.settings.max_event_bytes

    # Running

    async def start(self) -> None:
        """Take events from now on.

        Raises:
            DatabaseUnavailable: The log cannot be reached.
        """
        if self.durable is not None:
            await self.durable.log.open()
        self._routes.open = True

    async def stop(self, drain_timeout: float = 10.0) -> int:
        """Let everything that waits be handled, then end all workers.

        Handlers may publish meanwhile; after it, publishing is refused.

        Args:
            drain_timeout: Seconds to wait; what is not handled by then becomes a dead letter.

        Returns:
            How many events were not handled.
        """
        await self.join(drain_timeout)
        self._routes.close()
        unhandled = await self.drain(tuple(self._undrained), 0)
        if self.durable is not None:
            await self.durable.stop()
            await self.durable.log.close()
        self.watchdog.stop()
        return unhandled

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    async def join(self, timeout: float | None = None) -> bool:
        """Wait until no event waits or is in hand anywhere, and say whether that is so.

        Args:
            timeout: Seconds to wait; None waits for as long as it takes.
        """
        return await all_quiet(lambda: [each.mailbox for each in self._undrained], timeout)

    # Publishing

    async def publish(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        source: str,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        ordering_key: str | None = None,
    ) -> Event:
        """Put an event into the mailbox of every matching subscription.

        Returns when it is in all of them, and does not wait for handlers. If one is full it waits
        for at most `publish_timeout`, then the event becomes a dead letter of that subscription;
        the others have it at once. It suspends only then, and now and then in a long series.

        Args:
            name: The event's name.
            data: A mapping of JSON data; it is copied, and handlers get it read-only.
            source: The plugin that publishes, or `"nexus"`.
            correlation_id: The piece of work it belongs to; by default that of the event in hand,
                or of the enclosing `correlation_scope`, or its own id.
            causation_id: The event that caused it; by default the event in hand.
            ordering_key: A durable subscription handles events with the same key one after
                another, even where it handles several events at once.

        Returns:
            The event.

        Raises:
            BusNotRunning: Before `start` and after `stop`.
            EventNameInvalid: If the name is none.
            EventDataInvalid: If the data is not a mapping of JSON data.
            EventTooLarge: If the data takes more than `max_event_bytes`.
            DatabaseUnavailable, EventLogFull: A durable subscription wants it, and the log does
                not take it; then nobody has had it.
        """
        mailboxes = self._routes[name]
        if origin.get() is not None:
            correlation_id, causation_id = with_cause(correlation_id, causation_id)
        event = new_event(name, data, source, correlation_id, causation_id, self._max_event_bytes)
        if ordering_key is not None:
            event.ordering_key = ordering_key
        if type(mailboxes) is LoggedRoute and self.durable is not None:
            await self.durable.log.append(event)
        self._published += 1
        self._remember(event)
        run = self._run
        if mailboxes is run.mailboxes and len(run.events) < run.limit:
            run.events.append(event)
        elif mailboxes:
            await self._begin_run(mailboxes, event)
        return event

    async def deliver(
        self, event: Event, after_commit: Callable[[Callable[[], Any]], None] | None = None
    ) -> None:
        """Publish an event that was made before, as `publish` does.

        A staged generation makes its events when its code publishes them, and they go out when
        it goes live: with the id and time that the code was given.

        Args:
            event: The event.
            after_commit: Calls a function when the open transaction has been committed: the event
                is in the log if and only if that happens, and in mailboxes only then.
        """
        route = self._routes[event.name]
        if type(route) is LoggedRoute and self.durable is not None:
            await self.durable.log.append(event)
        if after_commit is None:
            await self._spread(event)
        else:
            after_commit(partial(self._spread, event))

    async def _spread(self, event: Event) -> None:
        """Put an event, which is in the log if it has to be, into mailboxes."""
        mailboxes = self._routes[event.name]
        self._published += 1
        self._remember(event)
        if mailboxes:
            await self._begin_run(mailboxes, event)

    async def _begin_run(self, mailboxes: tuple[Mailbox, ...], event: Event) -> None:
        """Put an event into mailboxes, and let more follow if all have room for them."""
        run = self._run
        is_long_series = len(run.events) >= RUN_LIMIT
        room = min(mailbox.room for mailbox in mailboxes)
        if room > 0:
            events = [event]
            run.begin(mailboxes, events, min(room, RUN_LIMIT))
            for mailbox in mailboxes:
                mailbox.accept(events)
            if is_long_series:
                await asyncio.sleep(0)
            return
        run.close()
        line = [each.stand_in_line(event) for each in mailboxes if not each.put(event)]
        await self._wait_for_room(line)

    async def _wait_for_room(self, line: Sequence[Waiting]) -> None:
        reason = DeadReason.PUBLISHER_CANCELLED
        try:
            await asyncio.wait(
                [waiting.settled for waiting in line], timeout=self.settings.publish_timeout
            )
            reason = DeadReason.MAILBOX_FULL
        finally:
            for waiting in line:
                waiting.give_up(reason)

    async def request(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        source: str,
        timeout: float = 5.0,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> Any:
        """Ask one provider and wait for its reply.

        The provider is the subscription to exactly this name that has the highest priority, or
        else is the oldest. The request queues in its mailbox like an event and is not tried again.

        Args:
            name: The request's name; it and the others are as for `publish`.
            data: A mapping of JSON data.
            source: The plugin that asks, or `"nexus"`.
            timeout: Seconds to wait for the reply.
            correlation_id: The piece of work it belongs to.
            causation_id: The event that caused it.

        Returns:
            What the handler returned, as plain JSON data of the caller's own.

        Raises:
            NoResponder: If no live subscription has this name.
            RequestTimeout: If there is no reply in time.
            RequestFailed: If the handler raised, or its reply is not JSON.
        """
        mailbox = self._routes.provider(name)
        if mailbox is None:
            raise NoResponder(name=name, known=self._routes.patterns)
        correlation_id, causation_id = with_cause(correlation_id, causation_id)
        ask = Ask(name, data, source, correlation_id, causation_id)
        check_size(name, ask.data, self._max_event_bytes)
        self._requested += 1
        self._remember(ask)
        return await reply_to(ask, mailbox, timeout)

    async def replay(self, dead_letter_id: str) -> Event:
        """Give a dead letter to the live subscription of the same plugin and pattern.

        Raises:
            BusNotRunning: Before `start` and after `stop`.
            DeadLetterNotFound: If there is no such letter.
            ReplayRefused: If there is no such subscription; the letter is kept.
        """
        if not self._routes.open:
            raise BusNotRunning(operation="a replay")
        letter = self.dead_letters.get(dead_letter_id)
        mailbox = self._routes.find(letter.owner, letter.pattern)
        if mailbox is None:
            raise ReplayRefused(id=letter.id, owner=letter.owner, pattern=letter.pattern)
        self.dead_letters.drop(letter.id)
        # The watchdog tells deliveries apart by their events, so each needs an object of its own.
        event = copy.copy(letter.event)
        if not mailbox.put(event):
            await self._wait_for_room([mailbox.stand_in_line(event)])
        return event

    # Subscriptions

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
            delivery=self.durable.pump(SubscriptionKey(owner, pattern))
            if durable and self.durable is not None
            else None,
        )
        return Subscription(
            pattern=pattern, owner=owner, handler=handler, options=options, mailbox=mailbox
        )

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
        for subscription in new:
            subscription.mailbox.live = True
            self._undrained[subscription] = None
        heirs = list(new)
        for subscription in old:
            heir = next((each for each in heirs if each.pattern == subscription.pattern), None)
            if heir is not None and not subscription.mailbox.closed:
                heirs.remove(heir)
                heir.take_over(subscription)
            subscription.mailbox.detach()
        if self.durable is not None:
            for subscription in new:
                self.durable.attach(subscription.mailbox)
            for subscription in old:
                self.durable.detach(subscription.mailbox)

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
                each.mailbox.when_quiet().add_done_callback(partial(self._forget, each))
            else:
                ending.append(each)
        await all_quiet(lambda: [each.mailbox for each in ending], timeout)
        unhandled = await asyncio.gather(*(each.mailbox.close() for each in ending))
        for each in ending:
            self._forget(each)
            if self.durable is not None:
                await self.durable.settle(each.mailbox)
        return sum(unhandled)

    def _forget(self, subscription: Subscription, _quiet: object = None) -> None:
        if not subscription.live:
            self._undrained.pop(subscription, None)

    def retry_now(self) -> int:
        """Try all events now that wait to be tried again, and give their number."""
        return sum(worker.cut_nap() for each in self._undrained for worker in each.mailbox.workers)

    # Looking

    def figures(self) -> BusFigures:
        """Say how the bus fares at this moment."""
        return BusFigures(
            published=self._published,
            requested=self._requested,
            dead_letters=len(self.dead_letters),
            dead_letters_evicted=self.dead_letters.evicted,
            subscriptions=tuple(each.figures() for each in self._undrained if not each.taken_over),
        )
