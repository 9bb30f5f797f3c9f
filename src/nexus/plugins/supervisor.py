"""What becomes of a plugin that fails: started again after a pause, or quarantined."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from nexus.plugins.restarts import RestartPolicy, Restarts
from nexus.plugins.state import PluginState
from nexus.plugins.verdict import Verdict

logger = logging.getLogger(__name__)

_DATABASE_PAUSE: Final = 2.0
"""How long to wait before a start that failed because the database was away is tried again."""


class PluginSupervisor:
    """Looks after one plugin's failures, whichever of its generations they are of.

    A plugin that runs serves on until its restart, which is a swap. One that is not started again
    any more is quarantined until an operator says otherwise.

    Args:
        plugin: The plugin's name.
        policy: How often it is started again.
        again: Called when it is to be judged again.

    Attributes:
        quarantined: Whether it is not started again by itself any more.
        trouble: Why the generation that serves is to be restarted; empty when it is not.
        restarts: How often the plugin was started again by itself.
        task_restarts: How often one of its background tasks was.
    """

    def __init__(self, plugin: str, policy: RestartPolicy, again: Callable[[], None]) -> None:
        self._plugin = plugin
        self._policy = policy
        self._again = again
        self._restarts = Restarts(policy)
        self._timer: asyncio.TimerHandle | None = None
        self._failure: str | None = None
        self._is_due = False
        self.quarantined = False
        self.trouble = ""
        self.restarts = 0
        self.task_restarts = 0

    @property
    def verdict(self) -> Verdict | None:
        """Give where a plugin rests that should run; None when nothing is in the way."""
        if self._failure is None:
            return None
        state = PluginState.QUARANTINED if self.quarantined else PluginState.FAILED
        return Verdict(state=state, reason=self._failure)

    def start_failed(self, problem: str | None, *, is_passing: bool, may_recover: bool) -> None:
        """Take note of a start that failed.

        Args:
            problem: What went wrong, as a sentence.
            is_passing: Whether a server was away: that is waited for, however long it takes.
            may_recover: Whether another start may succeed though nobody has changed anything.
        """
        self.close()
        if problem is not None and is_passing:
            self._failure = f"{problem} It is tried again until the server is back."
            self._set_timer(_DATABASE_PAUSE)
        elif problem is not None and may_recover:
            self._failure = self._after(problem, 0.0)
        else:
            self._failure = problem

    def crashed(self, problem: str, ran: float) -> None:
        """Take note that the generation that serves has to be replaced.

        Args:
            problem: What went wrong, as a sentence.
            ran: Seconds since it went live.
        """
        if self._timer is not None or self._is_due:  # its restart is on its way
            return
        told = self._after(problem, ran)
        if self.quarantined:
            self._failure = told
        else:
            self.trouble = told
        self._again()

    def take_restart(self) -> bool:
        """Tell whether the generation that serves is to be replaced now; True only once."""
        is_due, self._is_due = self._is_due, False
        return is_due

    def recall(self, reason: str) -> None:
        """Keep the plugin in the quarantine in which an earlier process has left it."""
        self.quarantined, self._failure = True, reason

    def forgive(self) -> None:
        """Forget all failures, since somebody has changed something."""
        self.close()
        self._restarts.reset()
        self._failure, self.trouble = None, ""
        self.quarantined = self._is_due = False

    def close(self) -> None:
        """Start nothing again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _after(self, problem: str, ran: float) -> str:
        policy = self._policy
        if not problem.endswith((".", "!", "?")):
            problem += "."
        pause = self._restarts.after(ran)
        if pause is not None:
            self._set_timer(pause)
            count = f"{len(self._restarts)} of {policy.intensity}"
            return f"{problem} It is started again in {pause:.1f} s (restart {count})."
        self.quarantined = True
        told = (
            f"{problem} It has failed {policy.intensity + 1} times, with less than"
            f" {policy.period:g} s of running in between, and is not started again by itself."
            f" When the cause is mended: 'nexus plugin reload {self._plugin}'."
        )
        logger.error("A plugin is quarantined", extra={"plugin": self._plugin, "reason": told})
        return told

    def _set_timer(self, pause: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(pause, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self.restarts += 1
        if self._failure is None:
            self._is_due = True
        self._failure, self.trouble = None, ""
        self._again()
