"""Notices when the event loop is blocked, and says whose code blocks it."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from types import FrameType

from nexus.plugins.importer import ROOT

logger = logging.getLogger(__name__)


class Watchdog:
    """A thread that watches the event loop's pulse.

    A block cannot be stopped from inside the process; it is reported while it lasts, with the
    plugin, file and line where the loop's thread is.

    Args:
        threshold: Seconds without a pulse that count as a block.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._interval = threshold / 4
        self._pulse = time.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._loop_thread = 0
        self.blocks: dict[str, int] = {}

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._loop_thread = threading.get_ident()
        self._stop.clear()
        self._tick(asyncio.get_running_loop())
        self._thread = threading.Thread(target=self._watch, name="nexus-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._beat is not None:
            self._beat.cancel()
        if self._thread is not None:
            self._thread.join()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pulse = time.monotonic()
        self._beat = loop.call_later(self._interval, self._tick, loop)

    def _watch(self) -> None:
        reported = 0.0
        while not self._stop.wait(self._interval):
            pulse = self._pulse
            lag = time.monotonic() - pulse - self._interval
            if lag > self._threshold and reported != pulse:
                reported = pulse
                self._report(lag)

    def _report(self, lag: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way
        if frame is None:
            return
        culprit = _plugin_frame(frame) or frame
        plugin = _plugin_of(culprit) or "nexus"
        self.blocks[plugin] = self.blocks.get(plugin, 0) + 1
        logger.warning(
            "The event loop is blocked",
            extra={
                "plugin": plugin,
                "seconds": round(lag, 1),
                "file": culprit.f_code.co_filename,
                "line": culprit.f_lineno,
                "function": culprit.f_code.co_name,
                "stack": "".join(traceback.format_stack(frame)[-6:]),
            },
        )


def _plugin_frame(frame: FrameType) -> FrameType | None:
    found: FrameType | None = frame
    while found is not None and _plugin_of(found) is None:
        found = found.f_back
    return found


def _plugin_of(frame: FrameType) -> str | None:
    module = frame.f_globals.get("__name__", "")
    if not isinstance(module, str) or not module.startswith(ROOT + "."):
        return None
    return module.split(".")[1].rpartition("_")[0]
