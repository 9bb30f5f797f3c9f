"""Notices when the event loop is blocked, and says whose code blocks it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from nexus.observability.distribution import Distribution
from nexus.plugins.culprit import Culprit

logger = logging.getLogger(__name__)

_LATENESS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Watchdog:
    """A thread that watches the event loop's pulse.

    A block cannot be stopped from inside the process; it is reported while it lasts, with the
    plugin, file and line where the loop's thread is.

    Time in which the whole process was held (SIGSTOP, a suspended machine) is no block. It is told
    by the watching thread, which was held as well, and by the processor time, of which none has
    passed; code that lets no other thread run holds the thread too, but uses the processor.

    Args:
        threshold: Seconds without a pulse that count as a block.

    Attributes:
        blocks: How often the loop was blocked, by whose code.
        lateness: How late the loop came to what was due, in seconds, measured at each pulse.
        owner_of: Tells on whose behalf a task runs, None for nobody's. Asked where no code of a
            plugin is on the stack: the platform may be at work for one.
    """

    def __init__(self, threshold: float) -> None:
        self.owner_of: Callable[[asyncio.Task[Any]], str | None] = _nobody
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threshold = threshold
        self._interval = threshold / 4
        self._pulse = time.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._loop_thread = 0
        self.blocks: dict[str, int] = {}
        self.lateness = Distribution(_LATENESS)

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._loop_thread = threading.get_ident()
        self._stop.clear()
        self._loop = asyncio.get_running_loop()
        self._tick(self._loop)
        self._thread = threading.Thread(target=self._watch, name="nexus-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._beat is not None:
            self._beat.cancel()
        if self._thread is not None:
            self._thread.join()

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float | None = None) -> None:
        self._pulse = now = time.monotonic()
        if due is not None:
            self.lateness.observe(max(0.0, now - due))
        self._beat = loop.call_later(self._interval, self._tick, loop, now + self._interval)

    def _watch(self) -> None:
        reported = held = 0.0
        before, pulse = Moment.now(), self._pulse
        while not self._stop.wait(self._interval):
            now = Moment.now()
            if self._pulse != pulse:
                pulse, held = self._pulse, 0.0
            held += now.held_since(before, self._interval)
            before = now
            lag = now.at - pulse - self._interval - held
            if lag > self._threshold and reported != pulse:
                reported = pulse
                self._report(lag)

    def _report(self, lag: float) -> None:
        culprit = Culprit.in_thread(self._loop_thread)
        if culprit is None:
            return
        plugin = culprit.plugin or self._behalf() or "nexus"
        self.blocks[plugin] = self.blocks.get(plugin, 0) + 1
        logger.warning(
            "The event loop is blocked",
            extra={"plugin": plugin, "seconds": round(lag, 1), **culprit.fields},
        )

    def _behalf(self) -> str | None:
        task = None if self._loop is None else asyncio.current_task(self._loop)
        return None if task is None else self.owner_of(task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment as the watching thread sees it.

    Attributes:
        at: Seconds on the monotonic clock.
        used: Seconds of processor time that the process has used.
    """

    at: float
    used: float

    @classmethod
    def now(cls) -> Self:
        """Give this moment."""
        return cls(at=time.monotonic(), used=time.process_time())

    def held_since(self, before: "Moment", expected: float) -> float:
        """Give for how long the whole process was held since another moment.

        Args:
            before: The other one.
            expected: Seconds that were to pass in between.
        """
        late = self.at - before.at - expected
        idle = late - (self.used - before.used)
        return late if late > expected and idle > late / 2 else 0.0


def _nobody(_task: "asyncio.Task[Any]") -> str | None:
    return None
