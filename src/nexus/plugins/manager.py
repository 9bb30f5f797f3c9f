"""The set of plugins of one application: what should run, and what does."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nexus.config import PluginConfiguration
from nexus.errors import PluginDataInUse, PluginNotFound
from nexus.plugins.controller import PluginController
from nexus.plugins.discovery import DiscoveredPlugin, discover, read_plugin
from nexus.plugins.durable_subscriptions import DurableSubscriptions
from nexus.plugins.judgment import lacking, resting
from nexus.plugins.places import Places
from nexus.plugins.planner import Candidate, Judgment, Planner
from nexus.plugins.platform import Platform
from nexus.plugins.starter import Starter
from nexus.plugins.state import PluginState, PluginStatus
from nexus.plugins.vanished import vanished
from nexus.plugins.verdict import Verdict

logger = logging.getLogger(__name__)

NAMESPACE = "nexus.plugins"


class PluginManager:
    """Judges all plugins together, and keeps one controller for each.

    Args:
        platform: What generations are made with.
        paths: The folders that hold plugins.
        configure: Makes and loads the configuration of a plugin.
        enabled_unless_told: Tells whether a plugin that no operator has judged is enabled.
        on_change: Told every change of state, as (old, new).

    Attributes:
        starter: Starts plugins at their first use.
        places: Who is served elsewhere than below `/plugins`.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        paths: Sequence[Path],
        configure: Callable[[DiscoveredPlugin], Awaitable[PluginConfiguration | None]],
        enabled_unless_told: Callable[[str], bool],
        on_change: Callable[[PluginStatus, PluginStatus], None],
    ) -> None:
        self._platform = platform
        self._subscriptions = DurableSubscriptions(platform.bus.durable)
        self._paths = tuple(paths)
        self._configure = configure
        self._enabled_unless_told = enabled_unless_told
        self._on_change = on_change
        self._controllers: dict[str, PluginController] = {}
        self._planner = Planner(platform.grants.waiting, self._held, platform.exposure.occupied)
        self._change = asyncio.Event()
        self._stopping = False
        self._scanning = asyncio.Lock()
        self._at_rest: Counter[str] = Counter()
        self.places = Places()
        self.starter = Starter(self._controllers, platform.limits.first_use)

    # What the application asks

    async def start(self) -> None:
        """Find the plugins and set their controllers to work; does not wait for them."""
        # What a run before this one has left is for reading only.
        self._controllers.clear()
        self._replan_all()
        self._stopping = False
        await self.rescan()

    async def settle(self) -> None:
        """Wait until every plugin is where it should be."""
        for controller in tuple(self._controllers.values()):
            await controller.wait_settled()

    async def stop(self) -> None:
        """Stop every plugin, dependants before what they depend on."""
        self._stopping = True
        async with self._scanning:  # a scan under way would add plugins behind our back
            for controller in self._controllers.values():
                controller.poke()
            await self.settle()
            for controller in self._controllers.values():
                await controller.close()

    # What operators ask

    def names(self) -> tuple[str, ...]:
        """Give the names of all plugins, sorted."""
        return tuple(sorted(self._controllers))

    def controller(self, name: str) -> PluginController:
        """Give the controller of one plugin.

        Raises:
            PluginNotFound: There is no such plugin.
        """
        try:
            return self._controllers[name]
        except KeyError:
            raise PluginNotFound(name=name, known=tuple(self._controllers)) from None

    def controllers(self) -> tuple[PluginController, ...]:
        """Give all controllers, sorted by name."""
        return tuple(self._controllers[name] for name in self.names())

    def status(self, name: str) -> PluginStatus | None:
        """Give the state of one plugin, None when there is no such plugin."""
        controller = self._controllers.get(name)
        return None if controller is None else controller.status

    async def enable(self, name: str) -> PluginStatus:
        """Have a plugin run from now on, and give the state that it came to."""
        return await self._set_enabled(name, enabled=True)

    async def disable(self, name: str) -> PluginStatus:
        """Have a plugin not run from now on, and give the state that it came to."""
        return await self._set_enabled(name, enabled=False)

    async def reload(self, name: str) -> PluginStatus:
        """Replace a plugin by what its files say now, and give the state that it came to.

        Raises:
            PluginNotFound: There is no such plugin, in its folder neither.
            ReloadFailed: The new generation could not take over; the old one keeps serving.
        """
        controller = await self.find(name)
        await controller.reload()
        await controller.wait_settled()
        return controller.status

    async def find(self, name: str) -> PluginController:
        """Give the controller of one plugin, whose folder may have come just now.

        Raises:
            PluginNotFound: There is no such plugin, in its folder neither.
        """
        if name not in self._controllers:
            await self.rescan()
        return self.controller(name)

    async def wish(self, name: str, *, enabled: bool) -> None:
        """Store whether a plugin is to run, and do nothing about it."""
        await self._platform.store.set(NAMESPACE, name, {"enabled": enabled})

    async def follow_wish(self, name: str) -> None:
        """Do what is stored of whether a plugin is to run; raises as `find`."""
        wish: Any = await self._platform.store.get(NAMESPACE, name)
        enabled = isinstance(wish, Mapping) and bool(wish.get("enabled"))
        if not enabled and name not in self._controllers:
            return
        await self._follow(await self.find(name), enabled=enabled)

    async def rescan(self) -> tuple[str, ...]:
        """Look for plugins that have come, and for ones whose folder has gone.

        Returns:
            The names of the new ones.
        """
        async with self._scanning:
            if self._stopping:
                return ()
            found = await asyncio.to_thread(discover, self._paths)
            wishes: dict[str, Any] = await self._platform.store.items(NAMESPACE)
            new = [plugin for plugin in found if plugin.name not in self._controllers]
            await self._platform.quarantine.read()
            # At once: the stored settings of all are then read together.
            made = await asyncio.gather(
                *(self._make(plugin, wishes.get(plugin.name)) for plugin in new)
            )
            gone = vanished(self._controllers, found)
            await self._refresh(found)
            self._controllers.update((controller.name, controller) for controller in made)
            await self._subscriptions.register(
                (each.name, each.found.manifest, each.enabled)
                for each in self._controllers.values()
                if each.name not in gone or each.live is not None
            )
            self._replan_all()
            for controller in made:
                controller.start()
            for name in gone:
                await self._drop(name)
            return tuple(controller.name for controller in made)

    async def settings_changed(self, name: str) -> PluginStatus:
        """Judge a plugin anew after its settings have changed, and wait for the outcome."""
        controller = self.controller(name)
        controller.supervisor.forgive()
        controller.poke()
        await controller.wait_settled()
        return controller.status

    def recheck(self, name: str) -> None:
        """Judge a plugin anew without waiting for the outcome."""
        controller = self._controllers.get(name)
        if controller is not None:
            controller.poke()

    @contextmanager
    def at_rest(self, name: str) -> Iterator[None]:
        """Keep a plugin from starting while the block runs, whether it is known or not.

        Raises:
            PluginDataInUse: It is enabled, or has not ended yet.
        """
        controller = self._controllers.get(name)
        if controller is not None and (controller.enabled or controller.busy):
            raise PluginDataInUse(plugin=name, state=str(controller.status.state))
        self._at_rest[name] += 1
        try:
            yield
        finally:
            self._at_rest[name] -= 1
            self.recheck(name)

    # What the controllers ask

    def verdict(self, controller: PluginController) -> Verdict:
        """Say what should be the case with a plugin."""
        judgment = self._planner.judgment(controller.name)
        verdict = self._judge(controller, controller.found, controller.configuration, judgment)
        may_run = verdict.runs or verdict.state is PluginState.DORMANT
        return (controller.supervisor.verdict or verdict) if may_run else verdict

    def trial(
        self,
        controller: PluginController,
        found: DiscoveredPlugin,
        configuration: PluginConfiguration | None,
    ) -> Verdict:
        """Say what would be the case with a plugin if its files said this; changes nothing."""
        candidate = Candidate(
            name=controller.name, manifest=found.manifest, enabled=controller.enabled
        )
        return self._judge(controller, found, configuration, self._planner.trial(candidate))

    def call(self, names: tuple[str, ...]) -> None:
        """Start plugins that start at their first use."""
        self.starter.call(names)

    def has_busy_dependants(self, name: str) -> bool:
        """Tell whether a plugin that needs this one runs, starts or ends."""
        return any(self._controllers[each].busy for each in self._planner.dependants(name))

    async def changed(self) -> None:
        """Wait until some plugin has changed."""
        await self._change.wait()

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        self._change.set()
        self._change = asyncio.Event()

    def report(self, old: PluginStatus, new: PluginStatus) -> None:
        """Take note of a change of state, and have those judged again that it concerns."""
        self.notify()
        if old.state is not new.state or old.reason != new.reason:
            for name in self._planner.dependants(new.name):
                self._controllers[name].poke()
        self._on_change(old, new)

    def settled(self, name: str) -> None:
        """Have those judged again that wait for a plugin to be where it should be."""
        for each in self._planner.dependants(name):
            if not self._controllers[each].settled:
                self._controllers[each].poke()

    def replan(self, controller: PluginController) -> None:
        """Plan anew since a plugin is another one, and have those judged whom it concerns."""
        self._follow_plan(self._planner.change(_candidate(controller)))

    async def rediscover(self, found: DiscoveredPlugin) -> DiscoveredPlugin:
        """Read a plugin's folder again; it may have moved, or have a double no longer."""
        if found.is_double or not os.path.isdir(found.folder):  # noqa: PTH112 - raises nothing
            everything = await asyncio.to_thread(discover, self._paths)
            found = next((each for each in everything if each.name == found.name), found)
            if found.is_double:
                return found
        return await asyncio.to_thread(
            read_plugin, found.folder, found.origin, found.own_names, found.name
        )

    async def configure(self, found: DiscoveredPlugin) -> PluginConfiguration | None:
        """Make the configuration for a manifest; None when there is no manifest."""
        return await self._configure(found)

    # Inside

    def _judge(
        self,
        controller: PluginController,
        found: DiscoveredPlugin,
        configuration: PluginConfiguration | None,
        judgment: Judgment,
    ) -> Verdict:
        if self._stopping:
            return Verdict(state=PluginState.STOPPED, reason="The application is stopping.")
        if controller.gone:
            return Verdict(state=PluginState.STOPPED, reason="Its folder has gone.")
        if self._at_rest[controller.name]:
            return Verdict(state=PluginState.DISABLED, reason="Its data is being removed.")
        rest = resting(controller, found, configuration, judgment.blocked, self._platform)
        if rest is not None:
            return rest
        return lacking([self._controllers[need] for need in judgment.needs])

    def _replan_all(self) -> None:
        self._follow_plan(self._planner.begin(map(_candidate, self._controllers.values())))

    def _follow_plan(self, changed: Iterable[str]) -> None:
        self.starter.manifests_changed()
        self.places.learn(self._planner.mounted(), self._planner.blocked)
        for name in changed:
            self.recheck(name)

    def _held(self, name: str) -> str:
        """Give the place of its own that a plugin has while it runs, starts or ends."""
        controller = self._controllers.get(name)
        if controller is None or controller.found.manifest is None or not controller.busy:
            return ""
        return controller.found.manifest.mount

    async def _refresh(self, found: Sequence[DiscoveredPlugin]) -> None:
        """Have plugins that do not run go by what their files say now."""
        for plugin in found:
            controller = self._controllers.get(plugin.name)
            if controller is None or controller.busy or controller.found == plugin:
                continue
            configuration = await self._configure(plugin)
            if not controller.busy:
                controller.take_over(plugin, configuration)

    async def _set_enabled(self, name: str, *, enabled: bool) -> PluginStatus:
        controller = await self.find(name)
        await self.wish(name, enabled=enabled)
        return await self._follow(controller, enabled=enabled)

    async def _follow(self, controller: PluginController, *, enabled: bool) -> PluginStatus:
        name = controller.name
        controller.enabled, controller.told = enabled, True
        controller.supervisor.forgive()
        await self._platform.quarantine.lift(name)
        await self._subscriptions.set_enabled({name: enabled})
        self.replan(controller)
        controller.poke()
        await controller.wait_settled()
        return controller.status

    async def _make(self, found: DiscoveredPlugin, wish: Any) -> PluginController:
        configuration = await self._configure(found)
        controller = PluginController(found, configuration, self._platform, self)
        await self._platform.quarantine.recall(found, controller.supervisor)
        controller.told = isinstance(wish, Mapping) and wish.get("enabled") is not None
        controller.enabled = (
            bool(wish["enabled"]) if controller.told else self._enabled_unless_told(found.name)
        )
        return controller

    async def _drop(self, name: str) -> None:
        controller = self._controllers[name]
        if controller.live is not None:
            logger.warning(
                "The folder of a running plugin has gone; it runs on until it is disabled",
                extra={"plugin": name, "folder": str(controller.found.folder)},
            )
            return
        # It may be starting: that is called off and unwound like any other.
        controller.gone = True
        controller.poke()
        await controller.wait_settled()
        await controller.close()
        del self._controllers[name]
        self._replan_all()


def _candidate(controller: PluginController) -> Candidate:
    return Candidate(
        name=controller.name, manifest=controller.found.manifest, enabled=controller.enabled
    )
