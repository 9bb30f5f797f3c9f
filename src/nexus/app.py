"""The application: the one module that knows all the others and puts them together."""

import asyncio
import contextlib
import contextvars
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from nexus._version import __version__
from nexus.config import SecretBox, SecretMask, StoredValues
from nexus.data import SqliteDatabase, SqliteFile, SqliteKeyValueStore, sole_use
from nexus.errors import StartupAborted
from nexus.events import BusSettings, EventBus
from nexus.plugins.announcer import Announcer
from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.configurations import PluginConfigurations
from nexus.plugins.current import current_owner, log_fields
from nexus.plugins.drain_budget import DrainBudget
from nexus.plugins.importer import GenerationImporter
from nexus.plugins.in_process import InProcessHost
from nexus.plugins.manager import PluginManager
from nexus.plugins.patient_collector import patient_collector
from nexus.plugins.platform import Limits, Platform
from nexus.plugins.settings_desk import SettingsDesk
from nexus.plugins.state import PluginState
from nexus.plugins.task_factory import owned_tasks
from nexus.plugins.watchdog import Watchdog
from nexus.security import AdminTokens
from nexus.services import ServiceRegistry
from nexus.web.application import NexusFastAPI
from nexus.web.exposure import HttpExposure

if TYPE_CHECKING:
    from nexus.config import ConfigChange, Settings

logger = logging.getLogger(__name__)

_HEALTH_SECONDS = 1.0
"""How long a measurement on the health pages is good."""

_CANNOT_START = frozenset({PluginState.FAILED, PluginState.INVALID})


class NexusApp:
    """An application of plugins; an ASGI application itself.

    Args:
        settings: The application's settings.
        environ: The environment that plugins' settings are read from.
        configure_logging: Whether starting sets up logging for the whole process.

    Attributes:
        settings: As given.
        app: The FastAPI instance; routes and middleware of the application's own go there.
        manager: The plugins.
        bus: The events.
        services: The live services.
        database: Where everything that must last is kept.
        store: The key-value store in the database.
        tokens: Who may use the management API.
        desk: Where the plugins' configuration is read and changed.
        first_token: The management token that this start has made, None when there was one.
        show_first_token: Tells the operator the token, once; writes it to stderr unless replaced.
    """

    def __init__(
        self,
        settings: "Settings",
        *,
        environ: Mapping[str, str],
        configure_logging: bool = True,
    ) -> None:
        self.settings = settings
        self.first_token: str | None = None
        self.show_first_token: Callable[[str], None] = _write_first_token
        self._configure_logging = configure_logging
        self._settled = asyncio.Event()
        self._draining = DrainBudget(settings.shutdown.drain_timeout)
        self._stack: AsyncExitStack | None = None
        self._mask = SecretMask(_reveal(settings.security.secret_key))
        self.app = NexusFastAPI(
            title=settings.name,
            version=__version__,
            docs=settings.http.docs,
            max_body_size=settings.http.body_limit,
            access_log=settings.logging.access,
            status_of=self._status_of,
            lifespan=self._lifespan,
        )
        self.bus = EventBus(BusSettings(**settings.events.model_dump()))
        self.services = ServiceRegistry()
        self.database = SqliteDatabase(
            SqliteFile(
                path=settings.database_path,
                synchronous=settings.database.synchronous,
                busy_timeout=settings.database.busy_timeout,
            )
        )
        self.store = SqliteKeyValueStore(self.database, max_bytes=settings.database.value_limit)
        security = settings.security
        self.tokens = AdminTokens(self.store, _reveal(security.admin_token), self._mask.add)
        self._box = SecretBox.of_application(settings.data_folder, _reveal(security.secret_key))
        self._configurations = PluginConfigurations(
            settings, environ, StoredValues(self.store, self._box), self._mask
        )
        self._announcer = Announcer(self.bus)
        self._watchdog = Watchdog(settings.supervision.block_warning)
        self._host = InProcessHost(
            GenerationImporter(BytecodeCache(settings.data_folder / "bytecode"))
        )
        self.manager = PluginManager(
            self._platform(),
            paths=settings.plugin_folders,
            configure=self._configurations.load,
            enabled_unless_told=self._enabled_unless_told,
            on_change=self._announcer.status_changed,
        )
        self.desk = SettingsDesk(self.manager, self._announcer.settings_changed)
        self._add_routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self.app(scope, receive, send)

    # Running

    async def startup(self) -> None:
        """Open everything and set the plugins on their way; does not wait for them.

        Raises:
            DatabaseInUse, DatabaseUnavailable: The database cannot be opened.
            StartupAborted: `startup.on_failure` is `abort`, and a plugin could not start.
            RuntimeError: It runs already.
        """
        if self._stack is not None:
            message = "This application runs already. Stop it with shutdown() first."
            raise RuntimeError(message)
        if self._configure_logging:
            self._set_up_logging()
        for warning in self.settings.warnings:
            logger.warning("Settings: %s", warning)
        self._settled.clear()
        self._draining.reset()
        async with AsyncExitStack() as stack:
            patience = stack.enter_context(ExitStack())
            patience.enter_context(patient_collector())
            self.settings.data_folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(sole_use(self.settings.database_path))
            await asyncio.to_thread(self._box.prepare)
            await stack.enter_async_context(self.database)
            self.first_token = await self.tokens.open()
            if self.first_token is not None:
                self.show_first_token(self.first_token)
            stack.push_async_callback(self._host.close)
            stack.enter_context(owned_tasks(asyncio.get_running_loop()))
            await self.bus.start()
            stack.push_async_callback(lambda: self.bus.stop(self._draining.left()))
            self._watchdog.start()
            stack.callback(self._watchdog.stop)
            self._announcer.start()
            stack.push_async_callback(self._announcer.stop)
            self._announcer.announce("system.started", {"version": __version__})
            stack.push_async_callback(self._stop_plugins)
            await self.manager.start()
            settling = asyncio.get_running_loop().create_task(
                self._settle(patience), name="nexus.settle"
            )
            stack.push_async_callback(_cancelled, settling)
            if self.settings.startup.on_failure == "abort":
                await settling
                self._abort_on_failure()
            self._stack = stack.pop_all()

    def announce_stop(self) -> None:
        """Publish `system.stopping` and let `shutdown.drain_timeout` run, if not done yet.

        A server calls it when it begins to stop, before it waits for open connections: a plugin
        can then end its streams, which would otherwise hold up the end.
        """
        if self._draining.begin():
            self._announcer.announce("system.stopping", {})

    async def shutdown(self) -> None:
        """Stop the plugins and close everything."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def ready(self) -> None:
        """Wait until every plugin that was found at the start has settled."""
        await self._settled.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["NexusApp"]:
        """Run the application without a server, with every plugin settled, for a test."""
        await self.startup()
        try:
            await self.ready()
            yield self
        finally:
            await self.shutdown()

    @property
    def dispatcher(self) -> Any:
        """Give what hands requests to the plugins."""
        return self.app.dispatcher

    @property
    def is_settled(self) -> bool:
        """Tell whether every plugin has settled since the start."""
        return self._settled.is_set()

    async def set_maintenance(self, message: str | None) -> None:
        """Begin maintenance with a message, or end it with None.

        Plugin routes answer 503 with the message meanwhile. Publishes `system.maintenance`.
        """
        self.app.dispatcher.maintenance = message
        data = {"active": message is not None, "message": message or ""}
        await self.bus.publish("system.maintenance", data, source="nexus")

    # How it is put together

    def _platform(self) -> Platform:
        settings = self.settings
        variables = contextvars.Context()
        return Platform(
            host=self._host,
            bus=self.bus,
            services=self.services,
            store=self.store,
            exposure=HttpExposure(
                self.app.dispatcher,
                metrics=self.app.metrics,
                current=current_owner,
                app=self.app,
            ),
            limits=Limits(
                slow_start=settings.startup.slow_after,
                start=settings.startup.timeout,
                health=settings.health.timeout,
                shutdown=settings.shutdown.timeout,
            ),
            drain=self._draining,
            variables=variables,
            settings_changed=self._plugin_changed_its_settings,
            mask=self._mask.apply,
        )

    def _add_routes(self) -> None:
        from nexus.observability.cached import Cached
        from nexus.observability.metrics import FamilyCollector
        from nexus.plugins import figures
        from nexus.web.health import HealthContext, health_router
        from nexus.web.management import ManagementContext, management_router
        from nexus.web.management.system_report import SystemReport
        from nexus.web.metrics_route import metrics_router

        settings, dispatcher = self.settings, self.app.dispatcher
        context = ManagementContext(
            manager=self.manager,
            settings=self.desk,
            bus=self.bus,
            services=self.services,
            tokens=self.tokens,
            system=SystemReport(
                settings, self.database, self._settled.is_set, lambda: dispatcher.maintenance
            ),
            maintenance=lambda: dispatcher.maintenance,
            set_maintenance=self.set_maintenance,
            backup=self.database.backup,
            mask=self._mask.apply,
        )
        self.app.include_router(management_router(context))
        health = HealthContext(
            manager=self.manager,
            tokens=self.tokens,
            has_settled=self._settled.is_set,
            check_database=Cached(self.database.check, _HEALTH_SECONDS),
        )
        self.app.include_router(health_router(health))
        sources = [
            figures.plugin_figures(self.manager),
            figures.event_figures(self.bus),
            figures.loop_figures(self._watchdog),
            figures.database_figures(self.database),
        ]
        self.app.include_router(metrics_router([FamilyCollector(sources)], self.app.metrics))

    def _enabled_unless_told(self, name: str) -> bool:
        startup = self.settings.startup
        return startup.enable == "all" or name in startup.plugins

    def _status_of(self, name: str) -> Any:
        return self.manager.status(name)

    # What happens while it runs

    @asynccontextmanager
    async def _lifespan(self, _app: Any) -> AsyncIterator[None]:
        await self.startup()
        try:
            yield
        finally:
            await self.shutdown()

    async def _settle(self, patience: ExitStack) -> None:
        await self.manager.settle()
        self._configurations.warn_of_unused(each.name for each in self.manager.controllers())
        patience.close()
        self._settled.set()
        counts: dict[str, int] = {}
        for controller in self.manager.controllers():
            state = str(controller.status.state)
            counts[state] = counts.get(state, 0) + 1
        self._announcer.announce("system.ready", {"plugins": counts})

    async def _stop_plugins(self) -> None:
        self.announce_stop()
        await self.manager.stop()

    def _abort_on_failure(self) -> None:
        failed = [
            (each.name, each.status.reason)
            for each in self.manager.controllers()
            if each.status.state in _CANNOT_START
        ]
        if failed:
            raise StartupAborted(failed=failed)

    async def _plugin_changed_its_settings(
        self, plugin: str, changes: "Sequence[ConfigChange]"
    ) -> None:
        await self._announcer.settings_changed(plugin, changes)
        self.manager.recheck(plugin)

    def _set_up_logging(self) -> None:
        from nexus.observability.logging import configure_logging

        wanted = self.settings.logging
        configure_logging(
            level=wanted.level,
            format=wanted.format,
            access=wanted.access,
            mask=self._mask.apply,
            bound=log_fields,
        )


def create_nexus_app(
    root: Path | str | None = None,
    *,
    settings: "Settings | None" = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    configure_logging: bool = True,
) -> NexusApp:
    """Make the application of a folder.

    Args:
        root: The folder with `nexus.yaml`; the current one when left out.
        settings: Settings that are loaded already; then `root` and `overrides` are not used.
        overrides: Settings above file and environment, shaped like the file.
        environ: The environment; the process's own when left out.
        configure_logging: Whether starting sets up logging for the whole process.

    Raises:
        InvalidSettings: Something in the settings is wrong; the error has all problems.
    """
    environ = os.environ if environ is None else environ
    with patient_collector():
        if settings is None:
            from nexus.config import load_settings

            folder = Path.cwd() if root is None else Path(root)
            settings = load_settings(folder, environ=environ, overrides=overrides)
        return NexusApp(settings, environ=environ, configure_logging=configure_logging)


def _reveal(secret: Any) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _write_first_token(token: str) -> None:
    # Past the log on purpose: a log is kept, copied and read by others.
    sys.stderr.write(f"\nThe management token, shown this once; keep it:\n\n    {token}\n\n")


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
