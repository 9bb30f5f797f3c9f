"""The class that every plugin inherits from."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from nexus.observability.health import HealthStatus
from nexus.observability.own_metrics import OwnMetrics
from nexus.plugins.binding import bind

if TYPE_CHECKING:
    from fastapi import APIRouter, Request

    from nexus.events import Event
    from nexus.plugins.admin_page import AdminPage
    from nexus.plugins.caller import Caller
    from nexus.plugins.context import PluginContext
    from nexus.plugins.plugin_database import PluginDatabase
    from nexus.services import ServiceReference


class BasePlugin(ABC):
    """The base of every plugin.

    Only `initialize` has to be written. A plugin that no application has loaded (a unit test makes
    one with `MyPlugin()`) works by itself: it reads its folder's manifest and `config/` files, and
    keeps data, events and services in memory.

    Attributes:
        name: The plugin's name, from its manifest.
        version: Its version, from its manifest.
        title: Its name for people.
        description: What it does, in a sentence.
        author: Who wrote it.
        category: Where it belongs in a list of plugins.
        config: Free for the plugin's own use; the platform neither reads nor fills it.
        logger: A logger named for the plugin.
        metrics: Makes counters, gauges and histograms of the plugin's own, for Prometheus.
        initialized: Whether `initialize` has succeeded.
    """

    name: str
    version: str
    title: str
    description: str
    author: str
    category: str
    config: dict[str, Any]
    logger: logging.Logger
    metrics: OwnMetrics
    initialized: bool
    _nexus_context: "PluginContext"

    def __init__(self) -> None:
        self.config = {}
        self.initialized = False
        bind(self)

    # What a plugin writes

    @abstractmethod
    async def initialize(self) -> bool:
        """Set the plugin up.

        Called once for each generation, before anything of it is live: what it subscribes to,
        registers and publishes goes live in one step after it has returned.

        Returns:
            True when the plugin is ready. False, an exception or a timeout is a failed start.
        """

    async def shutdown(self) -> None:  # noqa: B027 - a plugin without resources has nothing to write
        """Release what `initialize` acquired.

        Called once the generation has finished the work in hand. The platform is still there:
        data can be written and events published until this has returned. Tasks made with
        `create_task` are stopped afterwards by the platform.
        """

    async def on_dependency_changed(  # noqa: B027 - a plugin that holds nothing has nothing to write
        self, plugin: str, stale: tuple[str, ...]
    ) -> None:
        """Let go of what belongs to a generation of another plugin that serves no longer.

        Called when a plugin that the manifest depends on, or whose service this one was given by
        `get_service` or `require_service`, has been reloaded or has stopped. A look-up gives what
        serves now; the old generation shuts down after this has returned. What is done by way of
        `service_ref` needs nothing of it.

        Args:
            plugin: The other plugin's name.
            stale: The names of the services of which this plugin was given an object that is not
                the one that serves now.
        """

    def get_api_routes(self) -> "list[APIRouter]":
        """Give the routers to serve under `/plugins/<name>/`.

        Called once for each generation, after `initialize`.
        """
        return []

    def get_admin_pages(self) -> "list[AdminPage]":
        """Give the pages that the plugin contributes to the admin pages.

        Each is a GET route of the plugin's that answers with HTML. It is shown in a frame in which
        no script and no form works. Called once for each generation, when somebody looks.
        """
        return []

    def get_database_schema(self) -> dict[str, Any]:
        """Describe what the plugin stores.

        Returns:
            A dictionary with any of these keys:

            - `collections`: by name, each with `indexes`, a list of
              `{"field": path, "unique": bool}` or `{"fields": [path, ...]}`;
            - `initial_data`: `config` gives configuration defaults, just above the manifest's;
              a declared collection's name gives a list of documents, which are stored once; any
              other key becomes data, unless data of that key is there already.
        """
        return {}

    async def health_check(self) -> HealthStatus:
        """Say how the plugin does.

        The default reports the plugin's lifecycle and its background tasks, each from what is
        the case. Call it with `await super().health_check()` and add your own findings.
        """
        return self._nexus_context.health(self)

    def get_metrics(self) -> dict[str, float]:
        """Give the plugin's figures.

        Returns:
            By name; `uptime` is the time in seconds since this generation went live.
        """
        return self._nexus_context.metrics()

    def get_info(self) -> dict[str, Any]:
        """Give what the plugin says of itself, as JSON-ready data."""
        return {
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "description": self.description,
            "author": self.author,
            "category": self.category,
            "initialized": self.initialized,
            **self._nexus_context.info(),
        }

    # What the platform offers

    async def publish_event(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        ordering_key: str | None = None,
    ) -> "Event":
        """Publish an event.

        Inside `async with self.db.transaction():` it is published if and only if that commits.

        Args:
            name: Dot-separated. A plugin publishes under its own name (`<plugin>.*`) and under
                the names that its manifest declares in `events.publishes`.
            data: JSON-like; shared with the handlers, which treat it as read-only.
            ordering_key: A durable subscription handles events with the same key one after
                another, even where it handles several events at once.

        Returns:
            The event, once every live subscription that wants it has it in its mailbox, and it is
            in the durable log if a subscription that a manifest declares wants it.

        Raises:
            PermissionDenied: The manifest does not ask for `events.publish`, or for this name.
            EventNameInvalid: The name is not made of dot-separated segments.
            EventContractViolated: The data does not fit the schema that the manifest has for it.
            DatabaseUnavailable, EventLogFull: The durable log does not take it; nobody has had it.
        """
        return await self._nexus_context.publish(name, data, ordering_key)

    async def subscribe_to_event(
        self, pattern: str, handler: Callable[["Event"], Any], **options: Any
    ) -> None:
        """Have `handler` called with each event whose name matches.

        Args:
            pattern: A name, with `*` for one segment and `**` for the rest.
            handler: Takes the event; `async def` or plain. A plain function runs in a thread.
            options: `concurrency`, `priority`, `timeout` (seconds), `max_attempts`,
                `mailbox_size`, `scope`; see `nexus.events.SubscriptionOptions`. What is not
                given is as the manifest has it for this pattern, else as the settings have it.

        Raises:
            PermissionDenied: The manifest does not ask for `events.subscribe`.
            EventPatternInvalid: The pattern is malformed.
            EventScopeInvalid: `scope="every_worker"` with a pattern that is declared as durable.
        """
        await self._nexus_context.subscribe(pattern, handler, options)

    async def unsubscribe_from_event(self, pattern: str, handler: Callable[["Event"], Any]) -> bool:
        """End a subscription; events that wait for it are handled first.

        Returns:
            Whether there was such a subscription.
        """
        return await self._nexus_context.unsubscribe(pattern, handler)

    async def request(
        self, name: str, data: Mapping[str, Any] | None = None, *, timeout: float = 5.0
    ) -> Any:
        """Ask the one provider that subscribes to `name`, and give what its handler returns.

        Args:
            name: The event's name; the provider's subscription matches it.
            data: As for `publish_event`.
            timeout: Seconds to wait for the reply.

        Raises:
            NoResponder: No live subscription matches.
            RequestTimeout: The provider did not answer in time.
            RequestFailed: The provider's handler raised.
            PermissionDenied: As for `publish_event`.
        """
        return await self._nexus_context.request(name, data, timeout)

    def register_service(self, name: str, service: Any) -> None:
        """Offer an object to other plugins.

        Raises:
            ServiceConflict: Another live plugin offers this name.
        """
        self._nexus_context.register_service(name, service)

    def get_service(self, wanted: str | type[Any]) -> Any:
        """Give a service by its name or by a `Protocol` class, or None when nobody offers it."""
        return self._nexus_context.get_service(wanted)

    def require_service(self, wanted: str | type[Any]) -> Any:
        """Give a service by its name or by a `Protocol` class.

        Raises:
            ServiceNotFound: Nobody offers it.
        """
        return self._nexus_context.require_service(wanted)

    def service_ref(self, name: str) -> "ServiceReference":
        """Give a handle on a service that stays valid when its provider is swapped."""
        return self._nexus_context.service_ref(name)

    async def get_config(self, key: str, default: Any = None) -> Any:
        """Give the value in force of a setting, or `default` when no layer has it."""
        return await self._nexus_context.get_config(key, default)

    async def set_config(self, key: str, value: Any) -> None:
        """Store a setting; None takes the stored value away.

        Raises:
            ConfigValueRefused: The manifest declares the setting, and the value does not fit.
            ConfigKeyFixed: An environment variable fixes the setting.
            ConfigInTransaction: It is called inside `db.transaction()`.
        """
        await self._nexus_context.set_config(key, value)

    async def get_data(self, key: str, default: Any = None) -> Any:
        """Give what is stored under `key`, or `default`.

        Raises:
            PermissionDenied: The manifest does not ask for `database.read`.
        """
        return await self._nexus_context.get_data(key, default)

    async def set_data(self, key: str, value: Any) -> None:
        """Store a JSON value under `key`, private to this plugin.

        Raises:
            PermissionDenied: The manifest does not ask for `database.write`.
            NotJson: The value would not come back as it went in.
        """
        await self._nexus_context.set_data(key, value)

    async def delete_data(self, key: str) -> bool:
        """Delete what is stored under `key`.

        Returns:
            Whether there was anything.
        """
        return await self._nexus_context.delete_data(key)

    async def write_audit(
        self,
        action: str,
        *,
        before: Any = None,
        after: Any = None,
        user: str = "",
        address: str = "",
        refused: bool = False,
    ) -> None:
        """Put on record that something was done, or refused.

        Inside `async with self.db.transaction():` the row is there if and only if that commits.

        Args:
            action: What was done, such as `order.cancel`; the row has it as `<plugin>:<action>`.
            before: What was, JSON-like, without secrets.
            after: What is now, or why not.
            user: The name of the user who did it; by default it was the plugin.
            address: The network address that they came from.
            refused: Whether it was refused, and not done.

        Raises:
            PermissionDenied: The manifest does not ask for `audit.write`.
            AuditRowRefused: The action is no such name, or the values are too large.
            DatabaseUnavailable: Nothing can be recorded now, so it should not be done either.
        """
        await self._nexus_context.write_audit(
            action, before=before, after=after, user=user, address=address, refused=refused
        )

    @property
    def db(self) -> "PluginDatabase":
        """The plugin's collections, models and transactions; use it from `initialize` on.

        `self.db.collection("items")` stores documents, `async with self.db.session() as session:`
        works with the SQLAlchemy classes of `schemas/models.py`, and what happens in
        `async with self.db.transaction():` is committed as a whole or not at all.
        """
        return self._nexus_context.database

    def on_behalf_of(
        self, request: "Request", headers: Mapping[str, str] | None = None
    ) -> "Caller":
        """Act on the application in the name of whoever sends a request, with their rights.

        What it gives makes requests to the application's own HTTP interface, such as the
        management API, with what the request said of who sends it. It can do what they could do
        themselves, and the audit log names them.

        Args:
            request: The request that the plugin is serving.
            headers: What goes along with every request, such as the CSRF token of a form.

        Raises:
            PermissionDenied: The manifest does not ask for `platform.manage`.
        """
        return self._nexus_context.on_behalf_of(request.scope, headers)

    def create_task(
        self,
        coroutine: Coroutine[Any, Any, Any] | Callable[[], Awaitable[Any]],
        *,
        name: str | None = None,
        restart: bool = True,
    ) -> "asyncio.Task[Any]":
        """Run something in the background.

        It begins when the generation goes live, so `initialize` must not wait for it. The task
        belongs to this generation: the platform names it, reports its failure in the
        plugin's health, and cancels it after `shutdown` has returned.

        Args:
            coroutine: A coroutine, or an `async def` function without parameters, such as
                `self.poll`. When a function's coroutine fails, it is called again after a pause,
                and the task goes on. A coroutine can run only once: when it fails, the plugin is
                restarted, and so it is when a function has failed too often.
            name: What the task is called; by default as the coroutine or function is.
            restart: False for work that may fail: its failure is told, and nothing follows.
        """
        return self._nexus_context.create_task(coroutine, name, restart=restart)
