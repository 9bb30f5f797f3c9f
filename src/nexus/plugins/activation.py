"""Whether a plugin that starts at its first use is wanted, and when it is idle again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nexus.plugins.doorbell import Doorbell
from nexus.plugins.first_use import FirstUse
from nexus.plugins.state import PluginState
from nexus.plugins.use import Use, use_of

if TYPE_CHECKING:
    from nexus.manifest import Manifest
    from nexus.plugins.generation import Generation
    from nexus.plugins.verdict import Verdict

_LOOKS = 10
"""How often the time without a use is looked at while it runs."""

_LONGEST_LOOK = 5.0


class Activation:
    """Knows of one plugin whether it sleeps, should start, or may sleep again.

    A plugin without `activation` in its manifest never sleeps.

    Args:
        manifest: What the plugin's files say.
        live: Gives the generation that serves, if there is one.
        needed: Tells whether others need it, however little it is used.
        poke: Has the plugin judged again.
        doorbell: What it has in its place on the bus while it sleeps.

    Attributes:
        rules: What starts it; None when it starts with the application.
    """

    def __init__(
        self,
        manifest: "Manifest | None",
        live: "Callable[[], Generation | None]",
        *,
        needed: Callable[[], bool],
        poke: Callable[[], None],
        doorbell: Doorbell,
    ) -> None:
        self.rules = FirstUse.of(manifest)
        self._manifest = manifest
        self._doorbell = doorbell
        doorbell.ring = self.call
        self._live = live
        self._needed = needed
        self._poke = poke
        self._called = self._has_unknown_jobs
        self._last: Use | None = None
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def take(self, manifest: "Manifest | None") -> None:
        """Go by what a manifest says."""
        self.rules = FirstUse.of(manifest)
        self._manifest = manifest
        self._called = self._called or self._has_unknown_jobs

    # Starting

    @property
    def _has_unknown_jobs(self) -> bool:
        """Whether it may have scheduled jobs, which only its code can tell."""
        return self.rules is not None and self.rules.jobs

    @property
    def sleeps(self) -> bool:
        """Tell whether the plugin should not run now, since nobody uses it."""
        if self.rules is None:
            return False
        return not self._called if self._live() is None else self._is_idle()

    def call(self) -> None:
        """Have it run, since somebody uses it."""
        if self.rules is not None and not self._called:
            self._called = True
            self._poke()

    def dismiss(self) -> None:
        """Have it sleep until the next call."""
        self._called = False
        self._stop_looking()

    def starting(self) -> None:
        """Take note that it is about to start."""
        self._doorbell.look_no_more()

    def started(self) -> None:
        """Take note that it runs, in the step that makes it live: what was held goes to it."""
        live = self._live()
        if live is not None:
            self._doorbell.started(live.events.subscriptions)
        self.touch()
        self._look()

    def withdrawn(self, verdict: "Verdict") -> None:
        """Take note that it serves no longer, in the step that takes it away."""
        if verdict.state is PluginState.DORMANT:
            self._doorbell.hold(*self._patterns)

    async def follow(self, verdict: "Verdict") -> None:
        """Have the bus know whether it sleeps, or rests for another reason."""
        if verdict.state is PluginState.DORMANT:
            await self._doorbell.watch(*self._patterns)
        elif self._live() is None and not verdict.runs and not verdict.waiting:
            self._called = self._called or self._has_unknown_jobs  # its code may change meanwhile
            await self._doorbell.rest()

    @property
    def _patterns(self) -> tuple[Sequence[str], Sequence[str]]:
        rules, manifest = self.rules, self._manifest
        if rules is None or manifest is None:
            return (), ()
        return rules.events, manifest.events.subscribes

    @property
    def reason(self) -> str:
        """Say why it sleeps."""
        return "" if self.rules is None else self.rules.sentence

    # Stopping

    def touch(self) -> None:
        """Count this moment as a use."""
        self._last = None
        self._is_idle()

    def _is_idle(self) -> bool:
        """Tell whether it has not been used for as long as its manifest says."""
        live, rules = self._live(), self.rules
        if live is None or rules is None or rules.idle_stop is None:
            return False
        now = asyncio.get_running_loop().time()
        use = use_of(live)
        if use.in_hand or use != self._last or self._needed():
            self._last, self._since = use, now
            return False
        return now - self._since >= rules.idle_stop

    def _look(self) -> None:
        """Look now and then whether it is idle; a use itself costs nothing for that."""
        self._stop_looking()
        rules = self.rules
        if rules is None or rules.idle_stop is None or self._live() is None:
            return
        if self._is_idle():
            self._poke()
        pause = min(rules.idle_stop / _LOOKS, _LONGEST_LOOK)
        self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
