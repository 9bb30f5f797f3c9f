"""One attempt to prepare a generation, within its limits and as long as it is wanted."""

import asyncio
import logging
from collections.abc import Callable

from nexus.errors import HookFailed, NexusError, Unavailable
from nexus.plugins.generation import Generation
from nexus.plugins.platform import Limits
from nexus.plugins.plugin_trace import plugin_part

logger = logging.getLogger(__name__)

_GRACE = 5.0
"""Seconds that an attempt has to end after it was cancelled."""


class Attempt:
    """Prepares a generation, and gives up when it takes too long or is not wanted any more.

    Args:
        generation: What to prepare.
        limits: How long it may take.
        wanted: Tells whether the generation is still wanted; asked after each `nudge`.

    Attributes:
        called_off: Whether the attempt ended because the generation was not wanted any more.
        is_passing: Whether it failed because the database was away.
        may_recover: Whether another attempt may succeed though nobody has changed anything.
    """

    def __init__(self, generation: Generation, limits: Limits, wanted: Callable[[], bool]) -> None:
        self._generation = generation
        self._limits = limits
        self._wanted = wanted
        self._nudged: asyncio.Future[None] | None = None
        self.called_off = False
        self.is_passing = False
        self.may_recover = False

    def nudge(self) -> None:
        """Have it asked again whether the generation is wanted."""
        if self._nudged is not None and not self._nudged.done():
            self._nudged.set_result(None)

    async def run(self) -> str | None:
        """Give what went wrong as a sentence, or None when the generation is ready."""
        loop = asyncio.get_running_loop()
        name = self._generation.plugin
        task = loop.create_task(self._generation.prepare(), name=f"nexus.prepare.{name}")
        slow = loop.call_later(self._limits.slow_start, self._warn)
        try:
            verdict = await self._watch(task)
        finally:
            slow.cancel()
            if not task.done():
                task.cancel()
                _, stuck = await asyncio.wait({task}, timeout=_GRACE)
                if stuck:
                    self._tell("A start goes on although it was cancelled", logging.ERROR)
        if verdict is not None:
            _forget(task)
            return verdict
        if task.cancelled():
            self.may_recover = True
            return f"{self._generation.step} was cancelled by the plugin's own code."
        error = task.exception()
        self.is_passing, self.may_recover = _is_passing(error), _may_recover(error)
        return told(self._generation, error)

    async def _watch(self, task: "asyncio.Task[None]") -> str | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.start
        while not task.done():
            self._nudged = loop.create_future()
            if not self._wanted():
                self.called_off = True
                return "The start was called off."
            await asyncio.wait(
                {task, self._nudged},
                timeout=max(0.0, deadline - loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not task.done() and loop.time() >= deadline:
                if not self._generation.takes_its_time:
                    self.may_recover = True
                    return self._too_slow()
                deadline = loop.time() + self._limits.start
        return None

    def _too_slow(self) -> str:
        reason = (
            f"It did not start within {self._limits.start:g} s and was given up;"
            f" it was in {self._generation.step}."
        )
        if self._generation.tasks.waiting:
            names = ", ".join(self._generation.tasks.waiting)
            reason += (
                f" Tasks made with create_task() begin when the start has succeeded, so"
                f" initialize() must not wait for them: {names}."
            )
        return reason

    def _warn(self) -> None:
        self._tell("A plugin starts slowly", logging.WARNING)

    def _tell(self, message: str, level: int) -> None:
        logger.log(
            level,
            message,
            extra={
                "plugin": self._generation.plugin,
                "seconds": self._limits.slow_start,
                "step": self._generation.step,
            },
        )


def told(generation: Generation, error: BaseException | None) -> str | None:
    """Log why a generation could not go live, and give it as a sentence."""
    if error is None:
        return None
    logger.error(
        "A plugin could not start",
        extra={
            "plugin": generation.plugin,
            "generation": generation.number,
            "reason": str(error),
        },
        # The platform's own error says it in words; what the plugin's code raised has the trace.
        exc_info=_trace(error),
    )
    return str(error) if isinstance(error, NexusError) else f"{type(error).__name__}: {error}"


def _is_passing(error: BaseException | None) -> bool:
    """Tell whether a server was away, be it that the plugin's own code met it."""
    causes = () if error is None else (error, error.__cause__)
    return any(isinstance(each, Unavailable) and each.data["passing"] for each in causes)


def _may_recover(error: BaseException | None) -> bool:
    """Tell whether what failed was running code, which may have met something that passes.

    What cannot be imported, or asks for what is not allowed, would fail again.
    """
    return isinstance(error, HookFailed) or not isinstance(error, NexusError)


def _forget(task: "asyncio.Task[None]") -> None:
    """Take no more notice of what becomes of a task."""
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _trace(error: BaseException) -> BaseException | None:
    """Give what is worth a traceback: code that ran, and not what the sentence says already."""
    cause = error.__cause__ or error
    if isinstance(cause, NexusError | SyntaxError | ModuleNotFoundError):
        return None
    return plugin_part(cause)
