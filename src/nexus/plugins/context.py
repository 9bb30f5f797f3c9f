"""Everything that a plugin can reach of the platform."""

import asyncio
from collections.abc import Coroutine, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from nexus.errors import ContextClosed
from nexus.observability.health import HealthStatus
from nexus.observability.own_metrics import OwnMetrics
from nexus.plugins.caller import Caller, OwnInterface
from nexus.plugins.identity import Identity
from nexus.plugins.plugin_database import PluginDatabase
from nexus.plugins.ports import (
    AuditPort,
    DataPort,
    EventsPort,
    Handler,
    ServicesPort,
    SettingsPort,
    TasksPort,
    Vitals,
    Work,
)
from nexus.security.permissions import PermissionSet

if TYPE_CHECKING:
    from nexus.events import Event
    from nexus.plugins.base import BasePlugin
    from nexus.services import ServiceReference


class PluginContext:
    """One generation's access to the platform, held against its manifest.

    Every operation checks what the manifest asks for, and that the generation has not ended.

    Args:
        identity: What the plugin is called.
        permissions: What it may do.
        events: Its way to events.
        services: Its way to services.
        settings: Its way to its configuration.
        data: Its way to its stored data.
        database: Its way to its collections and models.
        tasks: Its way to background work.
        audit: Its way to the audit log.
        interface: Its way to the application's own HTTP interface.
        vitals: What is measured of it.

    Attributes:
        identity: As given.
        database: As given.
        own_metrics: The metrics that the plugin makes itself.
    """

    def __init__(  # noqa: PLR0913 - a port each
        self,
        *,
        identity: Identity,
        permissions: PermissionSet,
        events: EventsPort,
        services: ServicesPort,
        settings: SettingsPort,
        data: DataPort,
        database: PluginDatabase,
        tasks: TasksPort,
        audit: AuditPort,
        interface: OwnInterface,
        vitals: Vitals,
    ) -> None:
        self.identity = identity
        self.database = database
        self.own_metrics = OwnMetrics(identity.name)
        self._permissions = permissions
        self._events = events
        self._services = services
        self._settings = settings
        self._data = data
        self._tasks = tasks
        self._audit = audit
        self._interface = interface
        self._vitals = vitals
        self._closed = False

    def close(self) -> None:
        """Refuse every operation from now on."""
        self._closed = True
        self.database.close()

    async def publish(
        self, name: str, data: Mapping[str, Any] | None, ordering_key: str | None = None
    ) -> "Event":
        """Publish an event; see `BasePlugin.publish_event`."""
        self._enter("publish_event()")
        self._permissions.require("events.publish", f"publish {name!r}", name)
        return await self._events.publish(name, data, ordering_key)

    async def subscribe(self, pattern: str, handler: Handler, options: Mapping[str, Any]) -> None:
        """Subscribe a handler; see `BasePlugin.subscribe_to_event`."""
        self._enter("subscribe_to_event()")
        self._permissions.require("events.subscribe", f"subscribe to {pattern!r}", pattern)
        await self._events.subscribe(pattern, handler, options)

    async def unsubscribe(self, pattern: str, handler: Handler) -> bool:
        """End a subscription; see `BasePlugin.unsubscribe_from_event`."""
        self._enter("unsubscribe_from_event()")
        return await self._events.unsubscribe(pattern, handler)

    async def request(self, name: str, data: Mapping[str, Any] | None, timeout: float) -> Any:
        """Ask a provider; see `BasePlugin.request`."""
        self._enter("request()")
        self._permissions.require("events.publish", f"request {name!r}", name)
        return await self._events.request(name, data, timeout)

    def register_service(self, name: str, service: Any) -> None:
        """Offer a service; see `BasePlugin.register_service`."""
        self._enter("register_service()")
        self._services.register(name, service)

    def get_service(self, wanted: str | type[Any]) -> Any:
        """Find a service; see `BasePlugin.get_service`."""
        self._enter("get_service()")
        return self._services.find(wanted)

    def require_service(self, wanted: str | type[Any]) -> Any:
        """Find a service or raise; see `BasePlugin.require_service`."""
        self._enter("require_service()")
        return self._services.require(wanted)

    def service_ref(self, name: str) -> "ServiceReference":
        """Give a lasting handle; see `BasePlugin.service_ref`."""
        self._enter("service_ref()")
        return self._services.reference(name)

    async def get_config(self, key: str, default: Any) -> Any:
        """Read a setting; see `BasePlugin.get_config`."""
        self._enter("get_config()")
        return await self._settings.get(key, default)

    async def set_config(self, key: str, value: Any) -> None:
        """Store a setting; see `BasePlugin.set_config`."""
        self._enter("set_config()")
        await self._settings.set(key, value)

    async def get_data(self, key: str, default: Any) -> Any:
        """Read stored data; see `BasePlugin.get_data`."""
        self._enter("get_data()")
        self._permissions.require("database.read", f"read the data {key!r}")
        return await self._data.get(key, default)

    async def set_data(self, key: str, value: Any) -> None:
        """Store data; see `BasePlugin.set_data`."""
        self._enter("set_data()")
        self._permissions.require("database.write", f"write the data {key!r}")
        await self._data.set(key, value)

    async def delete_data(self, key: str) -> bool:
        """Delete stored data; see `BasePlugin.delete_data`."""
        self._enter("delete_data()")
        self._permissions.require("database.write", f"delete the data {key!r}")
        return await self._data.delete(key)

    async def write_audit(self, action: str, **row: Any) -> None:
        """Write into the audit log; see `BasePlugin.write_audit`."""
        self._enter("write_audit()")
        self._permissions.require("audit.write", f"write {action!r} into the audit log")
        await self._audit.write(action, **row)

    def on_behalf_of(
        self, scope: MutableMapping[str, Any], headers: Mapping[str, str] | None
    ) -> Caller:
        """Act in the name of whoever sends a request; see `BasePlugin.on_behalf_of`."""
        self._enter("on_behalf_of()")
        self._permissions.require("platform.manage", "act in the name of whoever asks it")
        return Caller(self._interface, scope, headers)

    def create_task(
        self, work: Work, name: str | None, *, restart: bool = True
    ) -> "asyncio.Task[Any]":
        """Start background work; see `BasePlugin.create_task`."""
        if self._closed and isinstance(work, Coroutine):
            work.close()
        self._enter("create_task()")
        return self._tasks.create(work, name, restart=restart)

    def health(self, plugin: "BasePlugin") -> HealthStatus:
        """Say what the platform itself knows of the plugin's health."""
        tasks = self._tasks.components()
        failed = [name for name, part in tasks.items() if part["status"] == "unhealthy"]
        message = f"Background task failed: {', '.join(failed)}" if failed else ""
        up = self._vitals.is_up(initialized=plugin.initialized)
        lifecycle = {
            "status": "healthy" if up else "unhealthy",
            "initialized": plugin.initialized,
        }
        return HealthStatus(
            healthy=up and not failed,
            message=message if up else "initialize() has not succeeded yet",
            components={"lifecycle": lifecycle, **tasks},
            metrics=self.metrics(),
        )

    def info(self) -> dict[str, Any]:
        """Give what the platform knows of this generation."""
        return self._vitals.info()

    def metrics(self) -> dict[str, float]:
        """Give the figures that the platform measures of this generation."""
        return self._vitals.metrics()

    def _enter(self, operation: str) -> None:
        if self._closed:
            raise ContextClosed(plugin=self.identity.name, operation=operation)
