"""The host that runs plugins inside the application's own process."""

import contextvars
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nexus.errors import HookFailed, NexusError, PluginLoadError
from nexus.jobs.declaration import JobDeclaration, declared_jobs
from nexus.jobs.live import JobCall
from nexus.observability.health import HealthStatus
from nexus.plugins.admin_page import AdminPage
from nexus.plugins.base import BasePlugin
from nexus.plugins.binding import offering
from nexus.plugins.complaint import last_complaint
from nexus.plugins.context import PluginContext
from nexus.plugins.hooks import call_hook, call_plain_hook
from nexus.plugins.host import Blueprint
from nexus.plugins.import_threads import ImportThreads, Outcome
from nexus.plugins.importer import GenerationImporter
from nexus.plugins.job_calls import call_job
from nexus.plugins.load_error import import_failure, making_failure
from nexus.plugins.own_models import import_models
from nexus.plugins.plugin_class import make_plugin
from nexus.plugins.plugin_trace import plugin_part
from nexus.plugins.presentable import finite, presentable

if TYPE_CHECKING:
    from nexus.data.models import Models

logger = logging.getLogger(__name__)

# Two applications in one process must not share a package name.
_unique = itertools.count(1)


class InProcessPlugin:
    """One generation whose code lives in this process."""

    def __init__(
        self,
        plugin: BasePlugin,
        blueprint: Blueprint,
        package: str,
        importer: GenerationImporter,
        models: Outcome,
        variables: contextvars.Context,
    ) -> None:
        self._plugin: BasePlugin | None = plugin
        self._admin_pages: tuple[AdminPage, ...] | None = None
        self._name = blueprint.manifest.name
        self._blueprint = blueprint
        self._package = package
        self._importer = importer
        self._models = models
        self._variables = variables

    @property
    def plugin(self) -> BasePlugin:
        """Give the plugin object, for tests that look inside."""
        if self._plugin is None:
            message = f"The generation of plugin {self._name!r} has been closed."
            raise RuntimeError(message)
        return self._plugin

    async def models(self) -> "Models | None":
        """Give the models in `schemas/models.py`, which were imported with the code."""
        error = self._models.error
        if isinstance(error, NexusError):
            raise error
        if error is not None:
            raise import_failure(error, self._blueprint) from error
        models: Models | None = self._models.value
        return models

    async def schema(self) -> Mapping[str, Any]:
        """Give what `get_database_schema` returns, if it is a dictionary."""
        schema = self._call("get_database_schema", self.plugin.get_database_schema)
        if not isinstance(schema, Mapping):
            raise self._unexpected("get_database_schema", schema, "a dictionary")
        return schema

    async def initialize(self, timeout: float) -> None:
        """Run `initialize`; returns only when it has returned True."""
        with last_complaint(self.plugin.logger) as complaint:
            result = await call_hook(
                self._name,
                "initialize",
                self.plugin.initialize,
                timeout=timeout,
                context=self._variables,
            )
        if result is True:
            self.plugin.initialized = True
            return
        if result is False:
            said = f" Its last error was: {complaint.text}" if complaint.text else ""
            raise HookFailed(plugin=self._name, hook="initialize", problem=f"returned False.{said}")
        raise self._unexpected("initialize", result, "True or False")

    async def routers(self) -> Sequence[Any]:
        """Give what `get_api_routes` returns, if it is a list."""
        routers = self._call("get_api_routes", self.plugin.get_api_routes)
        if not isinstance(routers, Sequence):
            raise self._unexpected("get_api_routes", routers, "a list of fastapi.APIRouter")
        return routers

    def admin_pages(self) -> Sequence[AdminPage]:
        """Give what `get_admin_pages` returns, asked once."""
        if self._admin_pages is None:
            try:
                pages = self._call("get_admin_pages", self.plugin.get_admin_pages)
                if not isinstance(pages, list) or not all(
                    isinstance(each, AdminPage) for each in pages
                ):
                    raise self._unexpected("get_admin_pages", pages, "a list of AdminPage")
            except HookFailed as error:
                pages = []
                logger.error(  # noqa: TRY400 - the cause is logged, not the wrapper
                    "A plugin's admin pages are left out",
                    extra={"plugin": self._name, "reason": str(error)},
                    exc_info=error.__cause__ and plugin_part(error.__cause__),
                )
            self._admin_pages = tuple(pages)
        return self._admin_pages

    async def health(self, timeout: float) -> HealthStatus:
        """Run `health_check`; whatever it does wrong is an unhealthy status."""
        if self._plugin is None:
            return HealthStatus(healthy=False, message="This generation has ended.")
        try:
            status = await call_hook(
                self._name,
                "health_check",
                self.plugin.health_check,
                timeout=timeout,
                context=self._variables.copy(),
            )
            if not isinstance(status, HealthStatus):
                raise self._unexpected("health_check", status, "a HealthStatus")
        except HookFailed as error:
            return HealthStatus(healthy=False, message=str(error))
        # A copy of plain data: what a plugin puts in need not be JSON.
        return HealthStatus(
            healthy=bool(status.healthy),
            message=str(presentable(status.message)),
            components=_mapping(presentable(status.components)),
            metrics=finite(status.metrics),
        )

    def jobs(self) -> Sequence[JobDeclaration]:
        """Give the scheduled jobs that the plugin's class declares."""
        return declared_jobs(type(self.plugin))

    def call_job(self, job: JobDeclaration, variables: contextvars.Context) -> JobCall:
        """Begin a run of a scheduled job."""
        return call_job(self._name, job.name, getattr(self.plugin, job.method), variables)

    def metrics(self) -> Mapping[str, float]:
        """Give what `get_metrics` returns, as far as it is numbers by name."""
        metrics = self._call("get_metrics", self.plugin.get_metrics)
        if not isinstance(metrics, Mapping):
            raise self._unexpected("get_metrics", metrics, "a dictionary of numbers")
        return finite(metrics)

    def own_figures(self) -> Mapping[str, float]:
        """Give what the plugin's own `get_metrics` adds to the platform's figures."""
        if self._plugin is None or type(self._plugin).get_metrics is BasePlugin.get_metrics:
            return {}
        platform = BasePlugin.get_metrics(self._plugin)
        return {name: value for name, value in self.metrics().items() if name not in platform}

    def info(self) -> Mapping[str, Any]:
        """Give what `get_info` returns."""
        info = self._call("get_info", self.plugin.get_info)
        if not isinstance(info, Mapping):
            raise self._unexpected("get_info", info, "a dictionary")
        return _mapping(presentable(info))

    async def dependency_changed(
        self, provider: str, stale: tuple[str, ...], timeout: float
    ) -> None:
        """Run `on_dependency_changed`, where the plugin has its own."""
        plugin = self._plugin
        own = getattr(type(plugin), "on_dependency_changed", None)
        if plugin is None or own is BasePlugin.on_dependency_changed:
            return
        await call_hook(
            self._name,
            "on_dependency_changed",
            lambda: plugin.on_dependency_changed(provider, stale),
            timeout=timeout,
            context=self._variables.copy(),
        )

    async def shutdown(self, timeout: float) -> None:
        """Run `shutdown`."""
        await call_hook(
            self._name,
            "shutdown",
            self.plugin.shutdown,
            timeout=timeout,
            context=self._variables.copy(),
        )

    async def close(self) -> None:
        """Forget the plugin object and its modules."""
        self._plugin = None
        self._models = Outcome()
        self._importer.remove(self._package)

    def _call(self, hook: str, call: Any) -> Any:
        # A copy, since a plugin may come back here from a task that runs in the context itself.
        return call_plain_hook(self._name, hook, call, context=self._variables.copy())

    def _unexpected(self, hook: str, found: object, expected: str) -> HookFailed:
        problem = f"returned {type(found).__name__} where {expected} was expected."
        return HookFailed(plugin=self._name, hook=hook, problem=problem)


class InProcessHost:
    """Loads generations into this process.

    Args:
        importer: Finds their modules.
        adopted: Told (plugin, package) of each generation, before its code is imported.
    """

    def __init__(
        self,
        importer: GenerationImporter,
        adopted: Callable[[str, str], None] = lambda _plugin, _package: None,
    ) -> None:
        self._importer = importer
        self._adopted = adopted
        self._threads = ImportThreads()

    async def load(
        self, blueprint: Blueprint, context: PluginContext, variables: contextvars.Context
    ) -> InProcessPlugin:
        """Import the code in a thread, and make the plugin on the event loop.

        Raises:
            PluginLoadError: The code cannot be imported, or holds no plugin.
        """
        name = blueprint.manifest.name
        self._importer.install()
        package = self._importer.add(name, next(_unique), blueprint.folder, blueprint.own_names)
        self._adopted(name, package)
        try:
            models = Outcome()
            imported = await self._threads.run(
                lambda: variables.run(_import, self._importer, package, blueprint, models)
            )
            plugin = variables.run(_make, imported, blueprint, context)
        except BaseException:
            self._importer.remove(package)
            raise
        return InProcessPlugin(plugin, blueprint, package, self._importer, models, variables)

    async def close(self) -> None:
        """Let the import threads end, and leave Python's import system."""
        self._threads.close()
        self._importer.uninstall()


def _import(
    importer: GenerationImporter, package: str, blueprint: Blueprint, models: Outcome
) -> ModuleType:
    # Models come first, so that all other code finds their tables by the names in the database.
    try:
        models.value = import_models(importer, package, blueprint.manifest.name, blueprint.folder)
    except BaseException as error:  # noqa: BLE001 - the border of the plugin's code
        models.error = error
    return importer.import_plugin(package)


def _make(imported: Outcome, blueprint: Blueprint, context: PluginContext) -> BasePlugin:
    name = blueprint.manifest.name
    if imported.error is not None:
        raise import_failure(imported.error, blueprint) from imported.error
    try:
        with offering(context):
            plugin = make_plugin(imported.value, name)
    except BaseException as error:
        # The border of the plugin's code: its __init__ may raise SystemExit too.
        raise making_failure(error, blueprint) from error
    bound = getattr(plugin, "_nexus_context", None)
    if bound is None:
        problem = f"__init__() of {type(plugin).__name__} does not call super().__init__()."
        raise PluginLoadError(plugin=name, problem=problem, advice="Make that its first line.")
    if bound is not context:
        problem = "create_plugin() returned a plugin that was made before it was called."
        raise PluginLoadError(plugin=name, problem=problem, advice="Make a new one in each call.")
    return plugin


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}
