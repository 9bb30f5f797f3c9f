"""Ends a process that was told to stop and cannot, since code in it does not let go."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from nexus.cli.exit_codes import ExitCode
from nexus.plugins.culprit import Culprit, lingering_threads
from nexus.plugins.watchdog import Moment

logger = logging.getLogger(__name__)

_INTERVAL: Final = 0.5
_LAST_WORDS: Final = 2.0
"""Seconds for the log, whose lock the code that does not let go may hold."""


class StopGuard:
    """A thread that watches a process which is to stop.

    What stops an application in an orderly way runs on its event loop, with time limits of its own.
    None of it runs while a plugin's code blocks the loop, and once the loop has ended the
    interpreter waits for threads without a limit. Either shows as a loop that does not turn.

    Time in which the whole process was held (SIGSTOP) does not count.

    Args:
        limit: Seconds without a turn of the loop, after the wish to stop, that are too many.
        is_told: Tells whether the process is to stop.
        last_words: Called before the process ends, in a thread of its own.
        end: Ends the process with an exit code.
    """

    def __init__(
        self,
        limit: float,
        *,
        is_told: Callable[[], bool],
        last_words: Callable[[], None],
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._limit = limit
        self._is_told = is_told
        self._last_words = last_words
        self._end = end
        self._turned = time.monotonic()
        self._is_over = False

    async def over(self, serving: Coroutine[Any, Any, None]) -> None:
        """Serve under its eyes; once that has ended, the loop counts as one that stands still.

        It watches until the process ends, so it is for who owns the process.

        Args:
            serving: What the loop is there for.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def turn() -> None:
            nonlocal timer
            self._turned = time.monotonic()
            timer = loop.call_later(_INTERVAL, turn)

        turn()
        threading.Thread(target=self._watch, name="nexus-stop-guard", daemon=True).start()
        try:
            await serving
        finally:
            timer.cancel()
            self._is_over = True

    def _watch(self) -> None:
        while not (self._is_over or self._is_told()):
            time.sleep(_INTERVAL)
        seen, before = time.monotonic(), Moment.now()
        while True:
            time.sleep(_INTERVAL)
            now = Moment.now()
            seen = max(seen, self._turned) + now.held_since(before, _INTERVAL)
            before = now
            if now.at - seen > self._limit:
                break
        speaking = threading.Thread(target=self._speak, name="nexus-last-words", daemon=True)
        speaking.start()
        speaking.join(_LAST_WORDS)
        self._end(ExitCode.STUCK)

    def _speak(self) -> None:
        culprit, threads = Culprit.who_lingers(), [each.name for each in lingering_threads()]
        logger.critical(
            "The process was told to stop, but code in it does not let go; it is ended",
            extra={
                "plugin": (culprit and culprit.plugin) or "nexus",
                "seconds": self._limit,
                "exit_code": int(ExitCode.STUCK),
                "threads": threads,
                **(culprit.fields if culprit else {}),
            },
        )
        self._last_words()
