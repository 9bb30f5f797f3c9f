"""The events of one generation."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from nexus.data.database import Database
from nexus.data.transaction import current_transaction
from nexus.errors import EventNameInvalid, EventNotDeclared, EventScopeInvalid
from nexus.events import (
    Event,
    EventBus,
    Subscription,
    SubscriptionOptions,
    check_name,
    current_cause,
)
from nexus.events.cause import origin, with_cause
from nexus.events.size import check_size
from nexus.manifest import EventDeclarations
from nexus.observability import tracing
from nexus.observability.request_id import current_request_id
from nexus.plugins.event_contracts import contracts_of
from nexus.plugins.stage import Stage, StageCell

_PLATFORM_NAMES = ("system.", "plugin.")
_AS_IT_COMES = SubscriptionOptions()
_HEARD = (Stage.LIVE, Stage.RETIRED)


class EventContributions:
    """Collects what a generation subscribes to, and publishes in its name.

    What a staged generation publishes is held, and goes out when it goes live or never. What is
    published in a transaction goes out when that has been committed, or never.

    Args:
        bus: The application's bus.
        database: The application's database.
        plugin: The generation's plugin.
        declarations: What its manifest says of events: names that it may publish, contracts that
            hold for their data, durable subscriptions and their options.
        cell: The generation's stage.
        variables: The context variables that its handlers run with.
    """

    def __init__(
        self,
        bus: EventBus,
        database: Database,
        plugin: str,
        declarations: EventDeclarations,
        cell: StageCell,
        variables: contextvars.Context,
    ) -> None:
        self._bus = bus
        self._database = database
        self._plugin = plugin
        self._declared = frozenset(declarations.publishes)
        self._durable = frozenset(declarations.subscribes)
        self._subscriptions = declarations.subscriptions
        self._contracts = contracts_of(plugin, declarations)
        self._cell = cell
        self._variables = variables
        self._held: deque[Event] = deque()
        self._is_releasing = False
        self._leaving: dict[asyncio.Task[int], list[Subscription]] = {}
        self._handlers: dict[Subscription, Callable[[Event], Any]] = {}
        self.published = 0

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Give the generation's subscriptions."""
        return tuple(self._handlers)

    @property
    def undrained(self) -> tuple[Subscription, ...]:
        """Give the subscriptions, and those that have been ended and still have work in hand."""
        return (*self._handlers, *(each for ended in self._leaving.values() for each in ended))

    def publish(
        self, name: str, data: Mapping[str, Any] | None, ordering_key: str | None = None
    ) -> Coroutine[Any, Any, Event]:
        """Publish an event, or hold it until the generation goes live.

        Raises:
            EventNotDeclared: The name is neither under the plugin's own nor declared.
            EventContractViolated: The data does not fit the schema in the plugin's manifest.
            EventTooLarge: The data takes more than `events.max_event_bytes`.
        """
        if tracing.active is None:
            return self._publish(name, data, ordering_key)
        return self._publish_traced(tracing.active, name, data, ordering_key)

    async def _publish_traced(
        self,
        tracer: tracing.Tracing,
        name: str,
        data: Mapping[str, Any] | None,
        ordering_key: str | None,
    ) -> Event:
        with tracer.publishing(self._plugin, name) as traceparent:
            return await self._publish(name, data, ordering_key, traceparent)

    async def _publish(
        self,
        name: str,
        data: Mapping[str, Any] | None,
        ordering_key: str | None,
        traceparent: str | None = None,
    ) -> Event:
        check_event_name(self._plugin, name, self._declared)
        contract = self._contracts.get(name)
        version = None if contract is None else contract.check(data)
        self.published += 1
        request_id = current_request_id.get() if current_cause() is None else None
        stage = self._cell.stage
        transaction = current_transaction(self._database)
        if transaction is not None and not transaction.commits:
            transaction = None
        is_heard = stage in _HEARD and not self._is_releasing
        if is_heard and transaction is None:
            return await self._bus.publish(
                name,
                data,
                source=self._plugin,
                correlation_id=request_id,
                ordering_key=ordering_key,
                version=version,
                traceparent=traceparent,
            )
        event = Event(check_name(name), data, self._plugin, *with_cause(request_id, None))
        event.note(ordering_key, version, traceparent)
        check_size(name, event.data, self._bus.settings.max_event_bytes)
        if transaction is None:
            if stage is not Stage.DISCARDED:
                self._held.append(event)
        elif is_heard:
            await self._bus.deliver(event, transaction.after_commit)
        else:
            transaction.after_commit(lambda: self._deliver(event))
        return event

    async def _deliver(self, event: Event) -> None:
        """Send out what was published in a transaction, once that has been committed."""
        stage = self._cell.stage
        if stage in _HEARD and not self._is_releasing:
            await self._bus.deliver(event)
        elif stage is not Stage.DISCARDED:
            self._held.append(event)

    async def release(self) -> None:
        """Send out what was held, in order; what is published meanwhile comes after it."""
        self._is_releasing = True
        try:
            while self._held:
                await self._bus.deliver(self._held.popleft())
        finally:
            self._is_releasing = False

    async def subscribe(
        self, pattern: str, handler: Callable[[Event], Any], options: Mapping[str, Any]
    ) -> None:
        """Subscribe a handler; live at once when the generation is.

        What the manifest gives for this pattern is the default of each option.
        """
        declared = self._subscriptions.get(pattern)
        if declared is not None:
            options = {**declared.options, **options}
        traced = tracing.active
        subscription = self._bus.subscription(
            pattern,
            handler if traced is None else traced.handler(self._plugin, pattern, handler),
            owner=self._plugin,
            options=SubscriptionOptions(**options) if options else _AS_IT_COMES,
            context=self._variables,
            durable=pattern in self._durable,
        )
        if subscription.is_everywhere and pattern in self._durable:
            raise EventScopeInvalid(plugin=self._plugin, pattern=pattern)
        await self._bus.hear(subscription)
        self._handlers[subscription] = handler
        if self._cell.stage is Stage.LIVE:
            self._bus.attach([subscription])

    async def unsubscribe(self, pattern: str, handler: Callable[[Event], Any]) -> bool:
        """End the subscriptions of this pattern and handler."""
        ended = [
            subscription
            for subscription, known in self._handlers.items()
            if subscription.pattern == pattern and known == handler
        ]
        for subscription in ended:
            del self._handlers[subscription]
        if ended and self._cell.stage is Stage.LIVE:
            self._bus.detach(ended)
            ending = self._bus.drain(ended, self._bus.settings.handler_timeout)
            if any(_is_in_hand(subscription) for subscription in ended):
                # Its own handler asks: waiting here would be waiting for itself.
                # An empty context: the task is the platform's, and outlives the handler's.
                task = asyncio.get_running_loop().create_task(
                    ending,
                    name=f"nexus.unsubscribe.{self._plugin}",
                    context=contextvars.Context(),
                )
                self._leaving[task] = ended
                task.add_done_callback(self._leaving.pop)
            else:
                await ending
        return bool(ended)

    async def request(self, name: str, data: Mapping[str, Any] | None, timeout: float) -> Any:
        """Ask one provider and give its reply; goes out at once, staged or not."""
        check_event_name(self._plugin, name, self._declared)
        if name in self._contracts:
            self._contracts[name].check(data)
        traced = tracing.active
        asking: AbstractContextManager[str | None] = (
            nullcontext() if traced is None else traced.asking(self._plugin, name)
        )
        with asking as traceparent:
            return await self._bus.request(
                name, data, source=self._plugin, timeout=timeout, traceparent=traceparent
            )


def _is_in_hand(subscription: Subscription) -> bool:
    return any(worker is origin.get() for worker in subscription.mailbox.workers)


def check_event_name(plugin: str, name: str, declared: Collection[str]) -> None:
    """Refuse a name that is neither under the plugin's own nor declared by it.

    Raises:
        EventNameInvalid: It is no event name at all.
        EventNotDeclared: Naming the line to add to the manifest.
    """
    if not isinstance(name, str):
        raise EventNameInvalid(name=name)
    if name.startswith(plugin + "."):
        return
    if name not in declared or name.startswith(_PLATFORM_NAMES):
        raise EventNotDeclared(plugin=plugin, event=name)
