"""An application of plugins: how it starts, runs and stops."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from nexus._version import __version__
from nexus.app.http_rules import rules_of
from nexus.app.parts import Parts
from nexus.app.process import end_process, write_first_token
from nexus.app.tracing import traced
from nexus.app.wiring import add_routes, configuring, make_convergence, make_operator, make_platform
from nexus.data import sole_use
from nexus.errors import NexusError, StartupAborted, Unavailable
from nexus.plugins.current import log_fields
from nexus.plugins.manager import PluginManager
from nexus.plugins.patient_collector import patient_collector
from nexus.plugins.settings_desk import SettingsDesk
from nexus.plugins.state import PluginState
from nexus.plugins.task_factory import owned_tasks
from nexus.web.application import NexusFastAPI

if TYPE_CHECKING:
    from nexus.config import ConfigChange, Settings

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
"""How long to wait before a database that was away is asked again."""

_HEALTH = "/health"
"""Below this it is told how the process is, whatever that may be; a lifespan has no path."""

_CANNOT_START = frozenset({PluginState.FAILED, PluginState.QUARANTINED, PluginState.INVALID})


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
        convergence: Follows what operators want on other workers; None where there are none.
        operator: Does what operators want, on all workers.
        desk: Where the plugins' configuration is read and changed.
        parts: What it is made of, all in one.
        first_token: The management token that this start has made, None when there was one.
        show_first_token: Tells the operator the token, once; writes it to stderr unless replaced.
        give_up: Is told the error after which an application that a server runs cannot go on;
            sends SIGTERM to the process unless replaced.
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
        self.show_first_token: Callable[[str], None] = write_first_token
        self.give_up: Callable[[BaseException], None] = end_process
        self._configure_logging = configure_logging
        self._settled = asyncio.Event()
        self._stack: AsyncExitStack | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._is_served = False
        parts = self.parts = Parts.of(settings, environ)
        self.app = NexusFastAPI(
            title=settings.name,
            version=__version__,
            docs=settings.http.docs,
            rules=rules_of(settings.http),
            access_log=settings.logging.access,
            status_of=lambda name: self.manager.status(name),  # noqa: PLW0108 # it comes later
            breakers=parts.breakers,
            lifespan=self._lifespan,
        )
        self.bus = parts.bus
        self.services = parts.services
        self.database = parts.database
        self.store = parts.store
        self.tokens = parts.tokens
        self.manager = PluginManager(
            make_platform(self, parts),
            paths=settings.plugin_folders,
            configure=configuring(parts),
            enabled_unless_told=self._enabled_unless_told,
            on_change=parts.announcer.status_changed,
        )
        self.desk = SettingsDesk(self.manager, parts.announcer.settings_changed)
        self.convergence = make_convergence(self, parts)
        self.operator = make_operator(self, parts)
        add_routes(self, parts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        late = self.convergence is not None and self.convergence.is_late
        if late and not scope.get("path", _HEALTH).startswith(_HEALTH):
            await self._catch_up()
        await self.app(scope, receive, send)

    async def _catch_up(self) -> None:
        """Serve nothing by what was there before others went on without this worker."""
        if self.convergence is not None:
            await self.convergence.catch_up()

    # Running

    async def startup(self) -> None:
        """Open everything and set the plugins on their way; does not wait for them.

        A server that is away is waited for in the background, unless `startup.on_failure` is
        `abort`. If that ends in an error after all, `ready()` raises it, and a server that runs the
        application is stopped by `give_up`.

        Raises:
            DatabaseInUse, Unavailable: The database or the event log cannot be opened.
            StartupAborted: `startup.on_failure` is `abort`, and a plugin could not start.
            RuntimeError: It runs already.
        """
        if self._stack is not None:
            message = "This application runs already. Stop it with shutdown() first."
            raise RuntimeError(message)
        self.set_up_logging()
        for warning in self.settings.warnings:
            logger.warning("Settings: %s", warning)
        self.parts.safe_mode.tell()
        self._settled.clear()
        self._failure = None
        self.first_token = None
        async with AsyncExitStack() as stack:
            patience = stack.enter_context(ExitStack())
            patience.enter_context(patient_collector())
            self.settings.data_folder.mkdir(parents=True, exist_ok=True)
            if self.settings.database_path is not None and not self.settings.database.shared:
                stack.enter_context(sole_use(self.settings.database_path))
            await asyncio.to_thread(self.parts.box.prepare)
            await self._begin_or_wait(stack, patience)
            self._stack = stack.pop_all()

    async def _begin_or_wait(self, stack: AsyncExitStack, patience: ExitStack) -> None:
        """Begin now, or as soon as the server is back that is away."""
        try:
            begun = await self._begin(patience)
        except Unavailable as error:
            if self.settings.startup.on_failure == "abort" or not error.data["passing"]:
                raise
            logger.error(  # noqa: TRY400 - the message says it all
                "%s is away, so no plugin starts before it is back",
                error.what,
                extra={"reason": str(error)},
            )
        else:
            stack.push_async_exit(begun)
            return
        self._waiting = asyncio.get_running_loop().create_task(
            self._begin_when_back(patience), name="nexus.database.wait"
        )
        self._waiting.add_done_callback(self._waited)

    async def _begin_when_back(self, patience: ExitStack) -> None:
        begun = None
        while begun is None:
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                begun = await self._begin(patience)
            except Unavailable as error:
                if not error.data["passing"]:
                    raise
        logger.warning("What was away is back")
        if self._stack is not None:
            self._stack.push_async_exit(begun)

    def _waited(self, waiting: "asyncio.Task[None]") -> None:
        """End the application when the waiting has ended in an error."""
        error = None if waiting.cancelled() else waiting.exception()
        if error is None:
            return
        is_told = isinstance(error, NexusError)
        logger.critical(
            "The application cannot start",
            extra={"reason": str(error)},
            exc_info=None if is_told else error,
        )
        if self._waiting is not waiting:  # it is being stopped anyway
            return
        self._failure = error
        self._settled.set()
        if self._is_served:
            self.give_up(error)

    async def _begin(self, patience: ExitStack) -> AsyncExitStack:
        """Open the database and set everything to work; where that fails, nothing is left of it."""
        parts = self.parts
        parts.draining.reset()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(traced(self.settings, self.database))
            await self.database.open()
            stack.push_async_callback(self.database.close)
            await stack.enter_async_context(parts.logs.kept())
            await parts.audit_keeper.start()
            stack.push_async_callback(parts.audit_keeper.stop)
            await self._open_tokens()
            stack.push_async_callback(parts.host.close)
            stack.enter_context(owned_tasks(asyncio.get_running_loop()))
            if self.convergence is not None:
                stack.push_async_callback(self.convergence.vanish)
            await self.bus.start()
            stack.push_async_callback(lambda: self.bus.stop(parts.draining.left()))
            stack.push_async_callback(parts.lags.close)
            await parts.jobs.start()
            stack.push_async_callback(parts.jobs.stop)
            parts.watchdog.start()
            stack.callback(parts.watchdog.stop)
            parts.announcer.start()
            stack.push_async_callback(parts.announcer.stop)
            parts.announcer.announce("system.started", {"version": __version__})
            stack.push_async_callback(self._stop_plugins)
            await self._join_cluster(stack)
            settling = asyncio.get_running_loop().create_task(
                self._settle(patience), name="nexus.settle"
            )
            stack.push_async_callback(_cancelled, settling)
            if self.settings.startup.on_failure == "abort":
                await settling
                self._abort_on_failure()
            return stack.pop_all()

    async def _open_tokens(self) -> None:
        token = await self.tokens.open()
        if token is not None:
            self.first_token = token
            self.show_first_token(token)

    async def _join_cluster(self, stack: AsyncExitStack) -> None:
        """Start the plugins, and follow what operators want on other workers."""
        if self.convergence is None:
            await self.manager.start()
            return
        await self.convergence.join()
        await self.manager.start()
        await self.convergence.start()
        stack.push_async_callback(self.convergence.leave)

    def announce_stop(self) -> None:
        """Publish `system.stopping` and let `shutdown.drain_timeout` run, if not done yet.

        A server calls it when it begins to stop, before it waits for open connections: a plugin
        can then end its streams, which would otherwise hold up the end.
        """
        if self.parts.draining.begin():
            self.parts.announcer.announce("system.stopping", {})

    async def shutdown(self) -> None:
        """Stop the plugins and close everything."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def ready(self) -> None:
        """Wait until every plugin that was found at the start has settled.

        Raises:
            NexusError: The application waited for its database, and cannot start after all.
        """
        await self._settled.wait()
        if self._failure is not None:
            raise self._failure

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
        return self._settled.is_set() and self._failure is None

    @property
    def waits_for_database(self) -> bool:
        """Tell whether the database was away at the start and has not come yet."""
        return self._waiting is not None and not self._waiting.done()

    async def set_maintenance(self, message: str | None) -> None:
        """Begin maintenance with a message, or end it with None.

        Plugin routes answer 503 with the message meanwhile. Publishes `system.maintenance`.
        """
        self.app.dispatcher.maintenance = message
        data = {"active": message is not None, "message": message or ""}
        await self.bus.publish("system.maintenance", data, source="nexus")

    # What its parts ask

    def _enabled_unless_told(self, name: str) -> bool:
        startup = self.settings.startup
        return startup.enable == "all" or name in startup.plugins

    # What happens while it runs

    @asynccontextmanager
    async def _lifespan(self, _app: Any) -> AsyncIterator[None]:
        self._is_served = True
        try:
            await self.startup()
            try:
                yield
            finally:
                await self.shutdown()
        finally:
            self._is_served = False

    async def _settle(self, patience: ExitStack) -> None:
        await self.manager.settle()
        self.parts.configurations.warn_of_unused(each.name for each in self.manager.controllers())
        patience.close()
        self._settled.set()
        counts: dict[str, int] = {}
        for controller in self.manager.controllers():
            state = str(controller.status.state)
            counts[state] = counts.get(state, 0) + 1
        self.parts.announcer.announce("system.ready", {"plugins": counts})

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

    async def plugin_changed_its_settings(
        self, plugin: str, changes: "Sequence[ConfigChange]"
    ) -> None:
        """Take note of what a plugin itself has set."""
        await self.parts.announcer.settings_changed(plugin, changes)
        if self.convergence is not None and any(each.changed for each in changes):
            await self.convergence.note(plugin, "values")
        self.manager.recheck(plugin)

    def set_up_logging(self) -> None:
        """Have the whole process log as the settings say, unless the application's maker does."""
        if not self._configure_logging:
            return
        from nexus.observability.logging import configure_logging

        wanted = self.settings.logging
        configure_logging(
            level=wanted.level,
            format=wanted.format,
            access=wanted.access,
            mask=self.parts.mask.apply,
            bound=log_fields,
        )


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
