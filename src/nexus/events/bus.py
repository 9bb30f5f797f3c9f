"""The event bus: who publishes, who is asked."""

import asyncio
import copy
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Self

from nexus.errors import BusNotRunning, NoResponder, ReplayRefused
from nexus.events.ask import Ask
from nexus.events.cause import origin, with_cause
from nexus.events.dead_letters import DeadLetters
from nexus.events.event import Event, new_event
from nexus.events.figures import BusFigures
from nexus.events.log.event_log import EventLog
from nexus.events.mailbox import Mailbox
from nexus.events.quiet import all_quiet
from nexus.events.recent import RecentEvents, Watcher
from nexus.events.reply import reply_to
from nexus.events.routes import LoggedRoute
from nexus.events.runs import RUN_LIMIT, OpenRun
from nexus.events.settings import BusSettings
from nexus.events.size import check_size
from nexus.events.subscribers import Subscribers
from nexus.events.surroundings import Surroundings
from nexus.events.watchdog import Watchdog

_GLANCE = 0.002


class EventBus(Subscribers):
    """Takes events to the mailboxes of their subscriptions, all in the event loop's thread.

    What a durable subscription wants goes by the log: it is there before `publish` returns. All
    else stays in memory.

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
        surroundings = Surroundings(
            settings=self.settings,
            dead_letters=self.dead_letters,
            watchdog=self.watchdog,
            open_run=self._run,
            sleep=sleep,
            random=random,
        )
        super().__init__(surroundings, log)
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
            drain_timeout: Seconds to wait. What is not handled by then becomes a dead letter, or
                stays in the log if it is there.

        Returns:
            How many events were not handled.
        """
        if self.durable is not None:
            self.durable.halt()
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

        What waits in the log counts, if it is for a subscription that is served here.

        Args:
            timeout: Seconds to wait; None waits for as long as it takes.
        """
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        while True:
            left = None if end is None else max(end - loop.time(), 0.0)
            if not await all_quiet(lambda: [each.mailbox for each in self._undrained], left):
                return False
            if self.durable is None or self.durable.is_settled:
                return True
            if left == 0.0:
                return False
            await asyncio.sleep(_GLANCE)  # what is on its way from the log tells nobody

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
        version: int | None = None,
        traceparent: str | None = None,
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
            version: The version of the data, where its publisher declares one.
            traceparent: The span in which it is published, where somebody traces.

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
        if version is not None:
            event.version = version
        if traceparent is not None:
            event.traceparent = traceparent
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

    async def request(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        source: str,
        timeout: float = 5.0,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
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
            traceparent: The span in which it is made, where somebody traces.

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
        ask.note(None, None, traceparent)
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

    # Looking

    def watch(self, watcher: Watcher) -> None:
        """Call a function with each event and request from now on, as it is published."""
        self.recent.watch(watcher)
        self._remember = self.recent.add

    def unwatch(self, watcher: Watcher) -> None:
        """Call it no more."""
        self.recent.unwatch(watcher)
        self._remember = self.recent.add

    def figures(self) -> BusFigures:
        """Say how the bus fares at this moment."""
        return BusFigures(
            published=self._published,
            requested=self._requested,
            dead_letters=len(self.dead_letters),
            dead_letters_evicted=self.dead_letters.evicted,
            subscriptions=tuple(each.figures() for each in self._undrained if not each.taken_over),
        )
