"""Brings this worker to what operators want, and tells the others when it is there."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from nexus.cluster import DesiredState, Member, Members, Outcome
from nexus.cluster.desired import EVERYTHING, Kind
from nexus.config import ConfigChange
from nexus.errors import NexusError, PluginNotFound
from nexus.plugins.granting import Granting
from nexus.plugins.log_levels import LogLevels
from nexus.plugins.manager import PluginManager
from nexus.plugins.state import PluginState

logger = logging.getLogger(__name__)

_POLL: Final = 0.2
"""Seconds after which a worker looks for changes that others have made."""
_FORGET_EVERY: Final = 60.0
_NOT_DONE: Final = "It has not answered in time."


@dataclass(slots=True)
class _Wanted:
    """What is still to be done with one plugin."""

    kinds: set[Kind] = field(default_factory=set)
    first: int = 0
    last: int = 0
    since: float = field(default_factory=time.monotonic)


class Convergence:
    """Follows the desired state on this worker.

    Changes of one plugin follow each other; different plugins go side by side.

    Args:
        manager: The plugins.
        members: The workers.
        desired: What operators want.
        granting: What plugins may do.
        log_levels: How much plugins log.
        announce: Told (plugin, changes) of settings that another worker has changed.
        patience: Seconds after which a change that is not done here is trouble.

    Attributes:
        left_behind: Why this worker is not as others are, by plugin.
    """

    def __init__(
        self,
        manager: PluginManager,
        members: Members,
        desired: DesiredState,
        granting: Granting,
        log_levels: LogLevels,
        announce: Callable[[str, Sequence[ConfigChange]], Awaitable[None]],
        *,
        patience: float,
    ) -> None:
        self._manager = manager
        self._members = members
        self._desired = desired
        self._granting = granting
        self._log_levels = log_levels
        self._announce = announce
        self._patience = patience
        self._seen = 0
        self._waiting: dict[str, _Wanted] = {}
        self._working: dict[str, _Wanted] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: dict[str, NexusError] = {}
        self._done = asyncio.Event()
        self._looking = asyncio.Lock()
        self._catching: asyncio.Task[None] | None = None
        self._follow: asyncio.Task[None] | None = None
        self._is_away = False
        self.left_behind: Mapping[str, str] = {}

    # Being a member

    async def join(self) -> None:
        """Become a member; what is read of the desired state after this is new enough."""
        await self._members.join()
        self._seen = await self._desired.open()

    async def start(self) -> None:
        """Follow from now on: the plugins were found by what was stored after `join`."""
        self._members.state = "serving"
        await self._report()
        self._follow = asyncio.get_running_loop().create_task(
            self._follow_on(), name="nexus.cluster.follow"
        )

    async def leave(self) -> None:
        """Have nobody wait for this worker any longer."""
        follow, self._follow = self._follow, None
        if self._catching is not None:
            self._tasks.add(self._catching)
        tasks = [*self._tasks, *([follow] if follow else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._members.state = "leaving"
        with suppress(NexusError):  # then its time passes
            await self._report()

    async def vanish(self) -> None:
        """Be no member any longer."""
        with suppress(NexusError):  # then its time passes
            await self._members.leave()

    # Coming back

    @property
    def is_late(self) -> bool:
        """Whether others may have changed something without waiting for this worker.

        It was held for longer than its lease, say. While the database is away it is not late:
        then nobody can change anything, as far as it can tell.
        """
        if self._follow is None or self._is_away:
            return False
        return self._catching is not None or not self._members.is_current

    async def catch_up(self) -> None:
        """Come to where the others are, before anything is served by what was there before."""
        if self._catching is None:
            self._catching = asyncio.get_running_loop().create_task(
                self._catch_up(), name="nexus.cluster.catch_up"
            )
        await asyncio.shield(self._catching)

    async def _catch_up(self) -> None:
        try:
            await self._members.report()
            if self._is_away:
                self._is_away = False
            else:
                logger.warning("This worker was held up, and comes back")
            await self.look()
            while self._working:
                await self._done.wait()
        except NexusError as error:
            self._is_away = True
            logger.warning("The cluster cannot be reached", extra={"reason": str(error)})
        finally:
            self._catching = None

    # Following

    async def _follow_on(self) -> None:
        forgot = time.monotonic()
        while True:
            await asyncio.sleep(_POLL)
            try:
                if not self._members.is_current:
                    await self.catch_up()
                    continue
                await self.look()
                await self._compare()
                if self._members.is_due:
                    await self._report()
                if time.monotonic() - forgot > _FORGET_EVERY:
                    forgot = time.monotonic()
                    await self._members.forget_the_dead()
            except NexusError as error:
                # Its time passes meanwhile, and then it catches up.
                logger.debug("The cluster cannot be reached", extra={"reason": str(error)})

    async def look(self) -> None:
        """Take note of changes, and begin to do what they ask for."""
        async with self._looking:
            if await self._desired.number() <= self._seen:
                return
            changed = await self._desired.since(self._seen)
            for plugin, kinds in changed.items():
                self._want(plugin, kinds)
            self._seen = max(
                (max(kinds.values()) for kinds in changed.values()), default=self._seen
            )

    def _want(self, plugin: str, kinds: Mapping[Kind, int]) -> None:
        wanted = self._waiting.setdefault(plugin, _Wanted(first=min(kinds.values())))
        wanted.kinds |= kinds.keys()
        wanted.last = max(kinds.values())
        if plugin not in self._working:
            self._working[plugin] = wanted
            task = asyncio.get_running_loop().create_task(
                self._work(plugin), name=f"nexus.cluster.converge.{plugin}"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, plugin: str) -> None:
        try:
            while (wanted := self._waiting.pop(plugin, None)) is not None:
                self._working[plugin] = wanted
                self._errors.pop(plugin, None)
                try:
                    await self._do(plugin, wanted.kinds)
                except NexusError as error:
                    self._errors[plugin] = error
                self._members.outcomes[plugin] = self._outcome(plugin, wanted.last)
                self._tell()
        finally:
            self._working.pop(plugin, None)
            self._tell()
            with suppress(NexusError):  # it is reported again, with the next sign of life
                await self._report()

    async def _do(self, plugin: str, kinds: set[Kind]) -> None:
        """Do what an operator of this worker alone would have it do."""
        if "rescan" in kinds:
            await self._manager.rescan()
        if "enabled" in kinds:
            await self._manager.follow_wish(plugin)
        if "reload" in kinds:
            await self._manager.reload(plugin)
        if kinds & {"settings", "values"}:
            await self._reread(plugin, judge="settings" in kinds)
        if "grants" in kinds:
            await self._granting.follow(self._manager, plugin)
        if "logging" in kinds:
            await self._log_levels.reread(plugin)

    async def _reread(self, plugin: str, *, judge: bool) -> None:
        if plugin not in self._manager.names():
            return
        controller = self._manager.controller(plugin)
        configuration = controller.refused or controller.configuration
        if configuration is not None:
            await self._announce(plugin, await configuration.reread())
        if judge:
            await self._manager.settings_changed(plugin)
        else:
            self._manager.recheck(plugin)

    def _outcome(self, plugin: str, number: int) -> Outcome:
        error = self._errors.get(plugin)
        if isinstance(error, PluginNotFound) and plugin != EVERYTHING:
            return Outcome(number=number, ok=False, state="", reason=str(error))
        status = self._manager.status(plugin)
        if status is None or error is not None:
            state = "" if status is None else str(status.state)
            return Outcome(number=number, ok=error is None, state=state, reason=str(error or ""))
        wanted = self._manager.controller(plugin).enabled
        ok = wanted is (status.state in (PluginState.RUNNING, PluginState.DORMANT))
        return Outcome(
            number=number, ok=ok, state=str(status.state), reason="" if ok else status.reason
        )

    def _tell(self) -> None:
        self._done.set()
        self._done = asyncio.Event()

    async def _report(self) -> None:
        if self._members.state == "serving":
            unfinished = [each.first for each in (*self._working.values(), *self._waiting.values())]
            self._members.acknowledged = min((*(each - 1 for each in unfinished), self._seen))
        await self._members.report()

    # Being like the others

    async def _compare(self) -> None:
        """Find out what others have brought about that this worker has not."""
        self._judge_again()
        bad = {name: each for name, each in self._members.outcomes.items() if not each.ok}
        left_behind = {
            name: _NOT_DONE
            for name, each in self._working.items()
            if time.monotonic() - each.since > self._patience
        }
        if bad:
            others = [each for each in await self.members() if each.counts]
            for name, outcome in bad.items():
                if any(_is_better(each.outcomes.get(name), outcome) for each in others):
                    left_behind[name] = outcome.reason
        for name in left_behind.keys() - self.left_behind.keys():
            logger.error(
                "This worker cannot do what others have done, and is not ready",
                extra={"plugin": name, "reason": left_behind[name]},
            )
        self.left_behind = left_behind

    def _judge_again(self) -> None:
        """Take note of plugins that have come to be as they should by themselves."""
        for name, outcome in self._members.outcomes.items():
            if outcome.ok or name in self._working or name not in self._manager.names():
                continue
            controller = self._manager.controller(name)
            if controller.reload_failure is None:
                self._errors.pop(name, None)
                self._members.outcomes[name] = self._outcome(name, outcome.number)

    async def members(self) -> Sequence[Member]:
        """Give all workers."""
        return await self._members.all()

    # What an operator of this worker wants

    async def note(self, plugin: str, kind: Kind) -> int:
        """Note a change; give its number."""
        return await self._desired.change(plugin, kind)

    async def reach(self, plugin: str, number: int) -> tuple[Outcome, NexusError | None]:
        """Wait until this worker has done a change; give what became of it."""
        await self.look()
        while True:
            outcome = self._members.outcomes.get(plugin)
            if outcome is not None and outcome.number >= number and plugin not in self._working:
                return outcome, self._errors.get(plugin)
            await self._done.wait()

    async def others(self, plugin: str, number: int, limit: float) -> list[tuple[str, Outcome]]:
        """Wait until all other live workers have done a change, and give what became of it there.

        Args:
            plugin: The plugin.
            number: The change.
            limit: Seconds to wait for; who has not done it by then has an outcome that says so.
        """
        ends = time.monotonic() + limit
        while True:
            others = [
                each for each in await self.members() if each.counts and each.id != self._members.id
            ]
            late = [each for each in others if not each.has_done(plugin, number)]
            if not late or time.monotonic() >= ends:
                break
            await asyncio.sleep(_POLL / 4)
        # Not by the names, of which two may be the same.
        found = [(each.label, _told(each, plugin, number)) for each in others]
        return [(label, outcome) for label, outcome in found if outcome is not None]

    @property
    def label(self) -> str:
        """The name of this worker for people."""
        return self._members.label

    def shown(self, member: Member) -> dict[str, Any]:
        """Give a worker as JSON-ready data."""
        return {
            "id": member.id,
            "host": member.host,
            "pid": member.pid,
            "since": member.since,
            "state": member.state if member.is_alive else "away",
            "this": member.id == self._members.id,
            "acknowledged": member.acknowledged,
            "troubles": {
                name: each.reason for name, each in member.outcomes.items() if not each.ok
            },
        }


def _is_better(theirs: Outcome | None, ours: Outcome) -> bool:
    return theirs is not None and theirs.ok and theirs.number >= ours.number


def _told(member: Member, plugin: str, number: int) -> Outcome | None:
    """Give what a worker says of a change; None if it began after it, and so knows no other."""
    if not member.has_done(plugin, number):
        return Outcome(number=-1, ok=False, state="", reason=_NOT_DONE)
    outcome = member.outcomes.get(plugin)
    return outcome if outcome is not None and outcome.number >= number else None
