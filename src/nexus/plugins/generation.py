"""One life of a plugin, and everything that it contributes."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nexus.config import PluginConfiguration
from nexus.errors import NexusError
from nexus.observability.health import HealthStatus
from nexus.plugins.context import PluginContext
from nexus.plugins.current import Running, current_owner
from nexus.plugins.data_access import DataAccess
from nexus.plugins.dependants import tell_of_outdated
from nexus.plugins.durable_subscriptions import DurableSubscriptions
from nexus.plugins.event_contributions import EventContributions
from nexus.plugins.finishing import Finishing
from nexus.plugins.host import Blueprint, HostedPlugin
from nexus.plugins.identity import Identity
from nexus.plugins.job_contributions import JobContributions
from nexus.plugins.platform import Platform
from nexus.plugins.plugin_audit import PluginAudit
from nexus.plugins.plugin_data import PluginData
from nexus.plugins.plugin_database import PluginDatabase, PreparedData
from nexus.plugins.plugin_settings import PluginSettings
from nexus.plugins.plugin_trace import plugin_part
from nexus.plugins.presentable import presentable
from nexus.plugins.service_contributions import ServiceContributions
from nexus.plugins.stage import Stage, StageCell
from nexus.plugins.stored_parts import StoredParts
from nexus.plugins.tasks import PluginTasks

logger = logging.getLogger(__name__)


class Generation:
    """Routes, subscriptions, services and tasks of one life of a plugin.

    `prepare` collects them, `commit` makes them live in one step, `withdraw` takes them back in
    one step, and `retire` or `discard` end everything that the generation owns.

    Args:
        blueprint: What to bring to life.
        configuration: Its view of the plugin's configuration.
        platform: What it is made with.

    Attributes:
        own_metrics: The metrics that the plugin makes itself.
        step: What `prepare` is doing, in words.
        takes_its_time: Whether `prepare` is at a step that no limit is set to.
    """

    def __init__(
        self, blueprint: Blueprint, configuration: PluginConfiguration, platform: Platform
    ) -> None:
        manifest = blueprint.manifest
        self.blueprint = blueprint
        self.plugin = manifest.name
        self.number = blueprint.number
        self.configuration = configuration
        self.tasks = PluginTasks(self.plugin, platform.restarts)
        self._platform = platform
        self._cell = StageCell()
        self._variables: contextvars.Context = platform.variables.copy()
        self._owner = Running(plugin=self.plugin, number=self.number, tasks=self.tasks)
        self._variables.run(current_owner.set, self._owner)
        self._hosted: HostedPlugin | None = None
        self._has_begun = False
        self._telling = asyncio.Lock()
        self.step = "the queue"
        self.takes_its_time = False
        self._mount: Any = None
        self._live_since: float | None = None
        self._committed_at: datetime | None = None
        self._permissions = permissions = platform.grants.permission_set(manifest)
        self.services = ServiceContributions(
            platform.services,
            self.plugin,
            self.number,
            self._cell,
            permissions,
            took=partial(platform.dependants.note, self.plugin),
        )
        self.events = EventContributions(
            platform.bus,
            platform.database,
            self.plugin,
            manifest.events,
            self._cell,
            self._variables,
        )
        self.jobs = JobContributions(
            platform.jobs, self.plugin, self.number, self._variables, self.tasks
        )
        self._subscriptions = DurableSubscriptions(platform.bus.durable)
        self._stored = StoredParts(platform, blueprint)
        self._finishing = Finishing(self.plugin, self._finish)
        self._database = PluginDatabase(
            self.plugin,
            platform.database,
            DataAccess(self.plugin, permissions, self._cell, platform.database),
        )
        audit = PluginAudit(platform.audit, self.plugin, self._cell)
        self._context = PluginContext(
            identity=Identity.of(manifest),
            permissions=permissions,
            events=self.events,
            services=self.services,
            settings=PluginSettings(
                configuration,
                self.plugin,
                self._cell,
                platform.settings_changed,
                platform.database,
                audit,
            ),
            data=PluginData(platform.store, self.plugin, self._cell),
            database=self._database,
            tasks=self.tasks,
            audit=audit,
            interface=platform.interface,
            vitals=self,
        )
        self.own_metrics = self._context.own_metrics

    @property
    def hosted(self) -> HostedPlugin:
        """Give the plugin's side of the generation; there is one once `prepare` has loaded it."""
        if self._hosted is None:
            message = f"Generation {self.number} of plugin {self.plugin!r} is not loaded."
            raise RuntimeError(message)
        return self._hosted

    @property
    def mount(self) -> Any:
        """Give what serves the generation's routes."""
        return self._mount

    @property
    def traffic(self) -> tuple[int, int]:
        """Give how many requests are in hand, and how many there have been."""
        return (0, 0) if self._mount is None else self._platform.exposure.traffic(self._mount)

    async def prepare(self) -> None:
        """Load the code, initialize the plugin, and build its routes; nothing is live yet.

        Raises:
            NexusError: Whatever the plugin's code did wrong, in words.
        """
        platform = self._platform
        self.step = "the import of its code"
        self._hosted = await platform.host.load(self.blueprint, self._context, self._variables)
        self.jobs.take(self._hosted)
        if self.jobs.jobs:
            self._permissions.require("jobs.schedule", "run methods on a schedule")
        await self._prepare_data(self._hosted)
        self.step = "its durable subscriptions"
        await self._subscriptions.declare(self.plugin, self._declared_patterns)
        self.step = "initialize()"
        self._has_begun = True
        await self._hosted.initialize(platform.limits.start)
        self.step = "get_api_routes()"
        routers = await self._hosted.routers()
        manifest = self.blueprint.manifest
        if manifest.mount:
            self._permissions.require("http.mount", f"serve at {manifest.mount}", manifest.mount)
        self.step = "the lifespans of its routers"
        self._mount = await platform.exposure.stage(
            self.plugin,
            self.number,
            routers,
            owner=self._owner,
            place=manifest.mount,
            endpoints=manifest.api_endpoints,
        )

    async def prepare_data(self) -> PreparedData:
        """Load the code and bring the database to what it declares, as `prepare` does, no more.

        The plugin is not initialized, and no first data is stored: what comes into its collections
        and tables is somebody else's affair. `discard` ends it.

        Raises:
            NexusError: Whatever the plugin's code did wrong, in words.
        """
        self.step = "the import of its code"
        self._hosted = await self._platform.host.load(
            self.blueprint, self._context, self._variables
        )
        await self._prepare_stored(self._hosted)
        return await self._database.ready()

    async def _prepare_data(self, hosted: HostedPlugin) -> None:
        schema = await self._prepare_stored(hosted)
        self.step = "its initial data"
        await self._stored.seed(schema, self.configuration)

    async def _prepare_stored(self, hosted: HostedPlugin) -> Mapping[str, Any]:
        # Migrations and new indexes take as long as there is data; giving them up would have them
        # begin anew each time.
        self.step = "the import of its models"
        models = await hosted.models()
        self.takes_its_time = True
        self.step = "its migrations"
        await self._stored.migrate(models)
        self.takes_its_time = False
        self.step = "get_database_schema()"
        schema = await hosted.schema()
        self.takes_its_time = True
        self.step = "the indexes of its collections"
        self._database.take(await self._stored.prepare(models, schema))
        self.takes_its_time = False
        return schema

    def commit(self, predecessor: "Generation | None") -> None:
        """Make everything live and take everything of the predecessor away, in one step.

        Nothing is awaited, so that no request, event or look-up sees half of it.

        Raises:
            ServiceConflict: Another plugin offers a service of the same name; nothing has changed.
        """
        platform = self._platform
        old_offers = predecessor.services.offers if predecessor else ()
        old_subscriptions = predecessor.events.subscriptions if predecessor else ()
        platform.services.replace(old_offers, self.services.offers)
        platform.bus.replace(old_subscriptions, self.events.subscriptions)
        platform.exposure.commit(self._mount)
        self._cell.stage = Stage.LIVE
        self.tasks.go_live()
        self.jobs.go_live(predecessor.jobs if predecessor else None)
        self._live_since = time.monotonic()
        self._committed_at = datetime.now(UTC)
        platform.dependants.add(self)
        if predecessor is not None:
            predecessor._cell.stage = Stage.RETIRED  # noqa: SLF001 - one step over two generations

    async def follow_up(self) -> None:
        """Do what follows the commit: what was held goes out, and what went stale is told."""
        await self.events.release()
        await tell_of_outdated(self, self.services.outdated(), self._platform.drain.left())

    # What it holds of others

    @property
    def needs(self) -> frozenset[str]:
        """Give the plugins that its manifest depends on."""
        return frozenset(need.name for need in self.blueprint.manifest.dependencies)

    def give_up(self, owner: str, generation: int) -> tuple[str, ...]:
        """Forget what was taken from generations up to this one, and give the services' names."""
        return self.services.give_up(owner, generation)

    async def tell(self, provider: str, stale: tuple[str, ...], limit: float) -> None:
        """Have the plugin told that another one has changed; what goes wrong is logged."""
        async with self._telling:
            if self._hosted is None:
                return
            try:
                await self._hosted.dependency_changed(provider, stale, limit)
            except NexusError as error:
                logger.error(  # noqa: TRY400 - the cause is logged, not the wrapper
                    "A plugin could not take note of a change of another one",
                    extra={"plugin": self.plugin, "provider": provider, "reason": str(error)},
                    exc_info=error.__cause__ and plugin_part(error.__cause__),
                )

    @property
    def _declared_patterns(self) -> tuple[str, ...]:
        return self.blueprint.manifest.events.subscribes

    async def finish_data(self) -> None:
        """Complete what `prepare` has begun in the database, once no other generation writes."""
        await self._finishing.begin()

    async def _finish(self) -> None:
        await self._subscriptions.drop_others(self.plugin, self._declared_patterns)
        await self.jobs.drop_others()
        await self._stored.finish()

    async def hold_data(self) -> None:
        """Have `finish_data` stop and do nothing: a successor prepares the same tables."""
        await self._finishing.hold()

    def let_data_go(self) -> None:
        """Let `finish_data` go on, since there is no successor."""
        self._finishing.let_go()

    def withdraw(self) -> None:
        """Take everything of this generation away, in one step and without a successor."""
        platform = self._platform
        platform.exposure.withdraw(self._mount)
        platform.bus.detach(self.events.subscriptions)
        platform.services.replace(self.services.offers, ())
        self.jobs.withdraw()
        platform.dependants.remove(self)
        self._cell.stage = Stage.RETIRED

    async def retire(self) -> None:
        """Finish the work in hand, shut the plugin down, and end what the generation owns.

        Those who hold something of it are told meanwhile. To be called after `withdraw`, or after
        the successor's `commit`.
        """
        limit = self._platform.drain.left()
        cut, dropped, cut_off, calls, _ = await asyncio.gather(
            self._platform.exposure.drain(self._mount, limit),
            self._platform.bus.drain(self.events.undrained, limit),
            self.jobs.drain(limit),
            self.services.drain(limit),
            self._platform.dependants.tell(self.plugin, self.number, limit),
        )
        found = {"requests": cut, "events": dropped, "jobs": cut_off, "calls": calls}
        if any(found.values()):
            logger.warning(
                "The drain limit ended work in hand", extra={"plugin": self.plugin, **found}
            )
        await self._end()

    async def discard(self) -> None:
        """Throw a staged generation away; what its shutdown publishes and writes is dropped."""
        self._cell.stage = Stage.DISCARDED
        await self._end()

    async def _end(self) -> None:
        limits = self._platform.limits
        await self._finishing.hold()
        if self._hosted is not None and self._has_begun:
            try:
                await self._hosted.shutdown(limits.shutdown)
            except NexusError as error:
                logger.error(  # noqa: TRY400 - the cause is logged, not the wrapper
                    "Shutdown failed",
                    extra={"plugin": self.plugin, "reason": str(error)},
                    exc_info=error.__cause__ and plugin_part(error.__cause__),
                )
        await self.tasks.cancel_all(limits.shutdown)
        self._context.close()
        if self._mount is not None:
            await self._platform.exposure.close(self._mount)
        await self._stored.close()
        if self._hosted is not None:
            await self._hosted.close()
            self._hosted = None

    @property
    def trouble(self) -> str:
        """Say why requests are kept away from it; empty while they are not."""
        return "" if self._mount is None else self._platform.exposure.trouble(self._mount)

    async def health(self) -> HealthStatus:
        """Run the plugin's health check; secrets in its findings are masked."""
        if self._hosted is None:
            return HealthStatus(healthy=False, message="This generation has ended.")
        found = await self._hosted.health(self._platform.limits.health)
        mask = self._platform.mask
        if self._cell.stage is Stage.LIVE:
            self.jobs.tell(found)
        if trouble := self.trouble:
            found.healthy = False
            found.message = f"{found.message} {trouble}".strip()
            found.components["circuit"] = {"status": "unhealthy", "message": trouble}
        if problem := self._finishing.problem:
            found.healthy = False
            incomplete = f"Changes to the database are not complete. {problem}"
            found.message = f"{found.message} {incomplete}".strip()
            found.components["changes"] = {"status": "unhealthy", "message": problem}
        found.message = mask(found.message)
        found.components = presentable(found.components, mask)
        return found

    # What the context shows of it

    def is_up(self, *, initialized: bool) -> bool:
        """Tell whether `initialize` has succeeded, which the host notes on the plugin."""
        return initialized

    def info(self) -> dict[str, Any]:
        """Give facts about the generation as JSON-ready data."""
        return {
            "generation": self.number,
            "stage": self._cell.stage.name.lower(),
            "running_since": self._committed_at.isoformat() if self._committed_at else None,
            "services": [offer.name for offer in self.services.offers],
            "subscriptions": [each.pattern for each in self.events.subscriptions],
        }

    def metrics(self) -> dict[str, float]:
        """Give figures by name; `uptime` is in seconds since the generation went live."""
        uptime = 0.0 if self._live_since is None else time.monotonic() - self._live_since
        return {
            "uptime": uptime,
            "background_tasks": float(len(self.tasks)),
            "events_published": float(self.events.published),
        }
