"""Events of a plugin without an application: handlers run inside the call that publishes."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nexus.errors import NoResponder
from nexus.events import Event, SubscriptionOptions, matches
from nexus.manifest import EventDeclarations
from nexus.plugins.event_contracts import contracts_of
from nexus.plugins.event_contributions import check_event_name

Handler = Callable[[Event], Any]


class DetachedEvents:
    """Delivers at once and in order, so that a test sees the outcome when the call returns.

    A handler's exception reaches the test, which wants to see it, instead of a dead letter.

    Args:
        plugin: The plugin's name.
        declarations: What its manifest says of events.
    """

    def __init__(self, plugin: str, declarations: EventDeclarations) -> None:
        self._plugin = plugin
        self._declared = frozenset(declarations.publishes)
        self._subscriptions = declarations.subscriptions
        self._contracts = contracts_of(plugin, declarations)
        self._handlers: list[tuple[str, Handler, int]] = []
        self.published: list[Event] = []

    async def publish(
        self, name: str, data: Mapping[str, Any] | None, ordering_key: str | None = None
    ) -> Event:
        """Call the handlers of every matching subscription, higher priorities first."""
        event = self._event(name, data)
        if ordering_key is not None:
            event.ordering_key = ordering_key
        self.published.append(event)
        for handler in self._matching(name):
            await _call(handler, event)
        return event

    async def subscribe(self, pattern: str, handler: Handler, options: Mapping[str, Any]) -> None:
        """Remember a handler."""
        declared = self._subscriptions.get(pattern)
        defaults = {} if declared is None else declared.options
        priority = SubscriptionOptions(**{**defaults, **options}).priority
        matches(pattern, "checked.now")
        self._handlers.append((pattern, handler, priority))

    async def unsubscribe(self, pattern: str, handler: Handler) -> bool:
        """Forget a handler."""
        before = len(self._handlers)
        self._handlers = [
            entry for entry in self._handlers if entry[0] != pattern or entry[1] != handler
        ]
        return len(self._handlers) < before

    async def request(self, name: str, data: Mapping[str, Any] | None, timeout: float) -> Any:
        """Call the first matching handler and give what it returns."""
        event = self._event(name, data)
        for handler in self._matching(name):
            async with asyncio.timeout(timeout):
                return await _call(handler, event)
        raise NoResponder(name=name)

    def _event(self, name: str, data: Mapping[str, Any] | None) -> Event:
        """Make an event that the manifest allows."""
        check_event_name(self._plugin, name, self._declared)
        contract = self._contracts.get(name)
        version = None if contract is None else contract.check(data)
        event = Event(name, data, self._plugin)
        if version is not None:
            event.version = version
        return event

    def _matching(self, name: str) -> list[Handler]:
        found = [entry for entry in self._handlers if matches(entry[0], name)]
        found.sort(key=lambda entry: -entry[2])
        return [handler for _, handler, _ in found]


async def _call(handler: Handler, event: Event) -> Any:
    result = handler(event)
    return await result if inspect.isawaitable(result) else result
