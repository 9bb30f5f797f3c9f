"""The narrow ways by which a context reaches the parts of the platform.

A live generation and a detached plugin have the same context over different ports.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nexus.events import Event
    from nexus.services import ServiceReference

Work = Coroutine[Any, Any, Any] | Callable[[], Awaitable[Any]]
Handler = Callable[["Event"], Any]


class EventsPort(Protocol):
    """A plugin's way to events."""

    async def publish(
        self, name: str, data: Mapping[str, Any] | None, ordering_key: str | None = None
    ) -> "Event":
        """Publish an event, or hold it until the generation goes live."""

    async def subscribe(self, pattern: str, handler: Handler, options: Mapping[str, Any]) -> None:
        """Subscribe a handler."""

    async def unsubscribe(self, pattern: str, handler: Handler) -> bool:
        """End a subscription, and tell whether there was one."""

    async def request(self, name: str, data: Mapping[str, Any] | None, timeout: float) -> Any:
        """Ask one provider and give its reply."""


class ServicesPort(Protocol):
    """A plugin's way to services."""

    def register(self, name: str, service: Any) -> None:
        """Offer a service."""

    def find(self, wanted: str | type[Any]) -> Any:
        """Give a service or None."""

    def require(self, wanted: str | type[Any]) -> Any:
        """Give a service or raise ServiceNotFound."""

    def reference(self, name: str) -> "ServiceReference":
        """Give a handle that outlives swaps of the provider."""


class SettingsPort(Protocol):
    """A plugin's way to its configuration."""

    async def get(self, key: str, default: Any) -> Any:
        """Give the value in force, or the default."""

    async def set(self, key: str, value: Any) -> None:
        """Store a value; None removes the stored one."""


class DataPort(Protocol):
    """A plugin's way to its stored data."""

    async def get(self, key: str, default: Any) -> Any:
        """Give the stored value, or the default."""

    async def set(self, key: str, value: Any) -> None:
        """Store a value."""

    async def delete(self, key: str) -> bool:
        """Delete a value, and tell whether there was one."""


class AuditPort(Protocol):
    """A plugin's way to the audit log."""

    async def write(
        self,
        action: str,
        *,
        before: Any,
        after: Any,
        user: str,
        address: str,
        refused: bool,
    ) -> None:
        """Write a row in the plugin's name."""


class TasksPort(Protocol):
    """A plugin's way to background work."""

    def create(self, work: Work, name: str | None, *, restart: bool) -> "asyncio.Task[Any]":
        """Start a named task that the generation owns."""

    def components(self) -> dict[str, dict[str, Any]]:
        """Give a health component for each named task that runs or has failed."""


class Vitals(Protocol):
    """What is measured of the generation itself."""

    def is_up(self, *, initialized: bool) -> bool:
        """Tell whether the plugin's lifecycle is as it should be."""

    def info(self) -> dict[str, Any]:
        """Give facts about the generation as JSON-ready data."""

    def metrics(self) -> dict[str, float]:
        """Give figures by name, among them `uptime` in seconds."""
