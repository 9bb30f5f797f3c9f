"""Runs the imports of plugins off the event loop."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PATIENCE = 0.5
"""Seconds without progress after which waiting imports get a thread of their own."""

_GATHER = 0.2
"""Seconds that a finished import may wait for others, while there are more to do.

Each wake-up makes the loop's thread and this one fight for the interpreter, which costs more than
all the rest of a start.
"""

_IDLE = 1.0
"""Seconds that a thread stays when there is nothing to import."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of running a job.

    Attributes:
        value: What it returned.
        error: What it raised, SystemExit and the like included; None when it returned.
    """

    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Outcome]"
    started: bool = False
    given_up: bool = False


class ImportThreads:
    """Imports one module at a time, so that the application serves meanwhile.

    One thread is as fast as many while imports compute. A module that blocks in its import would
    hold up all others, and one that never returns cannot be stopped: when nothing has been
    finished or begun for a while, the waiting ones get another thread. The threads are daemons: a
    stuck import does not keep the process from ending.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._progress = 0
        self._look: asyncio.TimerHandle | None = None
        self._finished: list[tuple[_Job, Outcome]] = []

    async def run(self, call: Callable[[], Any]) -> Outcome:
        """Run `call` in a thread and give what came of it; raises nothing of its own.

        Cancelled, it leaves the thread to itself.
        """
        loop = asyncio.get_running_loop()
        job = _Job(call=call, loop=loop, done=loop.create_future())
        with self._lock:
            self._jobs.put(job)
            if self._threads == 0:
                self._spawn()
        if self._look is None:
            self._look_later(loop)
        try:
            return await job.done
        finally:
            self._finish(job)

    def close(self) -> None:
        """Let the threads end once they have nothing to do."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)

    def _finish(self, job: _Job) -> None:
        if job.done.done() and not job.done.cancelled():
            return
        with self._lock:
            job.given_up = True
            if job.started:
                # Whatever hangs in there counts no longer; it ends when it comes back.
                self._threads -= 1

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        seen = self._progress
        self._look = loop.call_later(self._patience, self._help, loop, seen)

    def _help(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        self._look = None
        with self._lock:
            if self._jobs.empty():
                return
            if self._progress == seen:
                self._spawn()
        self._look_later(loop)

    def _spawn(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name="nexus-import", daemon=True).start()

    def _next(self) -> _Job | None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE)
            except queue.Empty:
                job = None
            with self._lock:
                if job is None:
                    if not self._jobs.empty():
                        continue
                    self._threads -= 1
                    return None
                if not job.given_up:
                    job.started = True
                    self._progress += 1
                    return job

    def _deliver(self) -> None:
        with self._lock:
            finished, self._finished = self._finished, []
        for job, outcome in finished:
            if not job.done.done():
                job.done.set_result(outcome)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            outcome = Outcome()
            try:
                outcome.value = job.call()
            except BaseException as error:  # noqa: BLE001 - the border of the plugin's code
                outcome.error = error
            with self._lock:
                self._progress += 1
                self._finished.append((job, outcome))
                is_first = len(self._finished) == 1
                was_given_up = job.given_up
                job.started = False
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                if self._jobs.empty():
                    job.loop.call_soon_threadsafe(self._deliver)
                elif is_first:
                    job.loop.call_soon_threadsafe(job.loop.call_later, _GATHER, self._deliver)
            if was_given_up:
                return
            del job, outcome
