"""Brings one plugin to where it should be, and keeps it there."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from nexus.config import PluginConfiguration
from nexus.errors import NexusError
from nexus.plugins.activation import Activation
from nexus.plugins.attempt import Attempt, told
from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.doorbell import Doorbell
from nexus.plugins.endings import Endings
from nexus.plugins.generation import Generation
from nexus.plugins.host import Blueprint
from nexus.plugins.platform import Platform
from nexus.plugins.relief import Relief
from nexus.plugins.reload_requests import ReloadRequests
from nexus.plugins.state import PluginState, PluginStatus
from nexus.plugins.supervisor import PluginSupervisor
from nexus.plugins.surroundings import Surroundings
from nexus.plugins.verdict import Verdict

logger = logging.getLogger(__name__)

_RETIREMENT_WORTH_WAITING_FOR = 1.0
"""Seconds that a reload waits for the old generation's end before it answers."""


class PluginController:
    """Owns one plugin's generations; one task of its own does everything that takes time.

    Args:
        found: The plugin as it was discovered.
        configuration: Its configuration, None when its manifest is invalid.
        platform: What its generations are made with.
        surroundings: The set of plugins that it is part of.

    Attributes:
        name: The plugin's name.
        found: The plugin as it was last discovered.
        configuration: Its configuration, None when its manifest is invalid.
        enabled: Whether it should run.
        told: Whether an operator has said so; otherwise the settings did.
        gone: Whether its folder has gone.
        leaving: Whether the live generation is on its way out.
        live: The generation that serves, None when none does.
        supervisor: What becomes of its failures.
        reload_failure: Why the last reload failed, None when it did not.
        refused: The configuration by the manifest that a reload could not bring in.
        activation: Whether it is to run now, where it starts at its first use.
        status: The state that an operator sees.
    """

    def __init__(
        self,
        found: DiscoveredPlugin,
        configuration: PluginConfiguration | None,
        platform: Platform,
        surroundings: Surroundings,
    ) -> None:
        self.name = found.name
        self.found = found
        self.configuration = configuration
        self.enabled = True
        self.told = True
        self.gone = False
        self.leaving = False
        self.live: Generation | None = None
        self.supervisor = PluginSupervisor(found.name, platform.restarts, self.poke)
        self.reload_failure: str | None = None
        self.refused: PluginConfiguration | None = None
        self.status = PluginStatus(
            name=found.name,
            state=PluginState.DISCOVERED,
            reason="It was found and has not been judged yet.",
            since=datetime.now(UTC),
            generation=0,
        )
        self._platform = platform
        self._surroundings = surroundings
        self._numbers = 0
        self._attempt: Attempt | None = None
        self._endings = Endings(found.name, surroundings.notify)
        self._relief = Relief(lambda: self.live)
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._reloads = ReloadRequests(self.name, self._number, platform.mask)
        self._task: asyncio.Task[None] | None = None
        self.activation = Activation(
            found.manifest,
            lambda: self.live,
            needed=self._is_needed,
            poke=self.poke,
            doorbell=Doorbell(
                self.name,
                platform.bus,
                limit=platform.limits.first_use,
                status=lambda: self.status,
            ),
        )

    # Asked from outside

    @property
    def busy(self) -> bool:
        """Tell whether there is a generation that needs its dependencies."""
        return self.live is not None or self._attempt is not None or bool(self._endings)

    @property
    def settled(self) -> bool:
        """Tell whether the plugin is where it should be."""
        return self._settled.is_set()

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(
            self._work(), name=f"nexus.controller.{self.name}"
        )
        self._task.add_done_callback(self._died)
        self.poke()

    def poke(self) -> None:
        """Have the plugin judged again."""
        if self._task is not None and self._task.done():
            return
        self._settled.clear()
        self._wake.set()
        if self._attempt is not None:
            self._attempt.nudge()

    async def wait_settled(self) -> None:
        """Wait until the plugin is where it should be."""
        await self._settled.wait()

    async def reload(self) -> None:
        """Replace the running generation by a new one from the files as they are now.

        A plugin that does not run is judged and started anew.

        Raises:
            ReloadFailed: The new generation could not take over; the old one keeps serving.
        """
        if self._task is None or self._task.done():
            raise self._reloads.refusal(self.status.reason)
        done = self._reloads.add()
        self.poke()
        await done

    async def close(self) -> None:
        """End the controller's task; the plugin is expected to be stopped."""
        self.supervisor.close()
        self.activation.dismiss()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._endings.wait()
        self._reloads.answer(self._reloads.take(), "It is not managed any longer.")

    def _number(self) -> int:
        return self.live.number if self.live else 0

    def _is_needed(self) -> bool:
        return self._attempt is not None or self._surroundings.has_busy_dependants(self.name)

    # The work

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._serve_reloads()
            await self._restart_if_due()
            verdict = await self._converge()
            await self.activation.follow(verdict)
            await self._platform.quarantine.keep(self.found, self.supervisor)
            self._surroundings.call(verdict.calls)
            if not self._wake.is_set() and not verdict.waiting:
                self._settled.set()
                self._surroundings.settled(self.name)

    async def _converge(self) -> Verdict:
        verdict = self._surroundings.verdict(self)
        if self.live is None and verdict.runs:
            await self._start()
        elif self.live is not None and not verdict.runs:
            await self._stop(self.live, verdict)
        else:
            self._show(verdict)
            return verdict
        verdict = self._surroundings.verdict(self)
        if verdict.runs is (self.live is not None):
            self._show(verdict)
        else:
            self._wake.set()
        return verdict

    async def _start(self) -> None:
        self._show(Verdict(state=PluginState.STARTING, reason="It is being started."))
        self.activation.starting()
        generation = self._new_generation(self.found, self.configuration)
        attempt = self._attempt = self._new_attempt(generation)
        problem = await attempt.run()
        verdict = self._surroundings.verdict(self)
        if problem is None and verdict.runs:
            problem = self._commit(generation, None)
        self._attempt = None
        if self.live is generation:
            self.activation.started()
            await generation.follow_up()
            await generation.finish_data()
            return
        if verdict.runs and not attempt.called_off:
            self.supervisor.start_failed(
                problem, is_passing=attempt.is_passing, may_recover=attempt.may_recover
            )
        await self._endings.run(generation.discard())

    def _task_failed(self, number: int, problem: str) -> None:
        """Take note of a background task that is given up; old generations' do not matter."""
        if self.live is not None and self.live.number == number:
            self.supervisor.crashed(problem, self.live.metrics()["uptime"])

    async def _restart_if_due(self) -> None:
        """Replace the generation that serves, since something in it has failed for good."""
        old = self.live
        if not self.supervisor.take_restart() or old is None:
            return
        verdict = self._surroundings.verdict(self)
        problem = await self._swap(old, self.found, self.configuration) if verdict.runs else None
        if problem is not None and self._surroundings.verdict(self).runs:
            self.supervisor.crashed(problem, 0.0)

    async def _stop(self, generation: Generation, verdict: Verdict) -> None:
        self.leaving = True
        self.activation.dismiss()  # whoever comes from now on starts it again
        reason = f"It finishes the work in hand. {verdict.reason}".strip()
        self._show(Verdict(state=PluginState.DRAINING, reason=reason))
        while self._surroundings.has_busy_dependants(self.name):
            await self._surroundings.changed()
        generation.withdraw()
        self.live = None
        self.activation.withdrawn(verdict)
        await self._endings.run(generation.retire())
        await self._endings.wait()  # generations before this one that still had work in hand
        self.leaving = False

    async def _serve_reloads(self) -> None:
        waiting = self._reloads.take()
        if not waiting:
            return
        reason: str | None = "The platform itself failed."
        try:
            reason = await self._reload()
        finally:
            self._reloads.answer(waiting, reason)

    async def _reload(self) -> str | None:
        """Give why the plugin could not be reloaded, or None when it was."""
        try:
            found = await self._surroundings.rediscover(self.found)
            configuration = await self._surroundings.configure(found)
        except NexusError as error:
            return str(error)
        old = self.live
        if old is None:
            self.take_over(found, configuration)
            return None
        self.activation.touch()
        verdict = self._surroundings.trial(self, found, configuration)
        problem = await self._swap(old, found, configuration) if verdict.runs else verdict.reason
        if problem is None:
            self.supervisor.forgive()
        else:
            self.reload_failure, self.refused = problem, configuration
            logger.error(
                "A reload failed, and the old generation keeps serving",
                extra={"plugin": self.name, "reason": problem, "generation": old.number},
            )
        return problem

    def take_over(self, found: DiscoveredPlugin, configuration: PluginConfiguration | None) -> None:
        """Go by what the plugin's files say now, whatever has failed before."""
        self.supervisor.forgive()
        self._adopt(found, configuration)

    def _adopt(self, found: DiscoveredPlugin, configuration: PluginConfiguration | None) -> None:
        self.found, self.configuration = found, configuration
        self.reload_failure = self.refused = None
        self.activation.take(found.manifest)
        self._surroundings.replan(self)
        self.poke()

    async def _swap(
        self, old: Generation, found: DiscoveredPlugin, configuration: PluginConfiguration | None
    ) -> str | None:
        new = self._new_generation(found, configuration)
        await old.hold_data()  # it would remove what the new one adds
        attempt = self._attempt = self._new_attempt(new)
        problem = await attempt.run()
        if problem is None:
            health = await new.health()
            if not health.healthy:
                why = health.message or "its health check says so."
                problem = f"The new generation is not healthy: {why}"
        if problem is None:
            # The world may have changed while it was being prepared.
            verdict = self._surroundings.trial(self, found, configuration)
            problem = self._commit(new, old) if verdict.runs else verdict.reason
        self._attempt = None
        if problem is not None:
            await self._endings.run(new.discard())
            old.let_data_go()
            # What the new one has added goes, and what it has written gets the old one's keys.
            await self._endings.run(self._relief.complete(), patience=_RETIREMENT_WORTH_WAITING_FOR)
            return problem
        self._adopt(found, configuration)
        self.activation.started()
        self._show(Verdict(state=PluginState.RUNNING))
        await new.follow_up()
        await self._endings.run(self._relief.retire(old), patience=_RETIREMENT_WORTH_WAITING_FOR)
        return None

    def _new_generation(
        self, found: DiscoveredPlugin, configuration: PluginConfiguration | None
    ) -> Generation:
        if found.manifest is None or configuration is None:
            raise RuntimeError(f"Plugin {self.name!r} has no manifest to start with.")
        for problem in found.problems:
            logger.warning("Its manifest: %s", problem, extra={"plugin": self.name})
        if self.configuration is not None:
            self.configuration.give_initial(configuration)
        self._numbers += 1
        blueprint = Blueprint(
            manifest=found.manifest,
            folder=found.folder,
            own_names=found.own_names,
            number=self._numbers,
        )
        return Generation(blueprint, configuration, self._platform)

    def _new_attempt(self, generation: Generation) -> Attempt:
        return Attempt(
            generation, self._platform.limits, lambda: self._surroundings.verdict(self).runs
        )

    def _commit(self, new: Generation, old: Generation | None) -> str | None:
        try:
            new.commit(old)
        except NexusError as error:
            return told(new, error)
        self.live = new
        new.tasks.look_after(self.supervisor, partial(self._task_failed, new.number))
        return None

    def _died(self, task: "asyncio.Task[None]") -> None:
        # A defect of the platform itself; it must be seen, and nobody may wait for ever.
        if task.cancelled() or (error := task.exception()) is None:
            return
        logger.critical("A controller failed", extra={"plugin": self.name}, exc_info=error)
        reason = f"The platform itself failed: {type(error).__name__}: {error}"
        live, self.live, self._attempt = self.live, None, None
        if live is not None:
            # Nobody looks after it any more.
            live.withdraw()
            self._endings.begin(live.retire())
        self._show(Verdict(state=PluginState.FAILED, reason=reason))
        self._reloads.answer(self._reloads.take(), reason)
        self._settled.set()

    def _show(self, verdict: Verdict) -> None:
        number = self._number()
        old, reason = self.status, self._platform.mask(self._reason(verdict))
        if (old.state, old.reason, old.generation) == (verdict.state, reason, number):
            return
        same = old.state is verdict.state and number == old.generation
        self.status = replace(
            old,
            state=verdict.state,
            reason=reason,
            since=old.since if same else datetime.now(UTC),
            generation=number,
        )
        self._surroundings.report(old, self.status)

    def _reason(self, verdict: Verdict) -> str:
        if not verdict.runs or self.live is None:
            return verdict.reason
        if self.reload_failure is None:
            return self.supervisor.trouble
        serving = f"Generation {self.live.number} serves on"
        return f"{serving}; the last reload failed: {self.reload_failure}"
