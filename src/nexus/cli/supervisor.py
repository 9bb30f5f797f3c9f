"""The process that serves an application by several others, and keeps them alive."""

import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from nexus.cli.errors import WorkerFailed
from nexus.cli.exit_codes import ExitCode
from nexus.cli.listening import local_url
from nexus.cli.output import Output
from nexus.cli.running import RunFile, remove_run_file, write_run_file
from nexus.cli.start_attempts import TRIES, StartAttempts
from nexus.cli.worker import FAILED, READY, STARTED, TELL, Inherited, WorkerOrder, work
from nexus.data import sole_use
from nexus.security.tokens import new_token

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from nexus.app import NexusApp
    from nexus.config import Settings

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_STEADY: Final = 60.0
"""A worker that has served for so many seconds has nothing to do with how often it died before."""


@contextmanager
def database_for_workers(settings: "Settings") -> Iterator[int | None]:
    """Have the workers share a SQLite file, and keep all other processes away from it.

    Yields:
        The handle of the file's lock; None where others may use the database too.

    Raises:
        DatabaseInUse: Another process uses the file.
    """
    path = settings.database_path
    own = path is not None and not settings.database.shared
    holding: AbstractContextManager[int | None] = nullcontext()
    if path is not None and own:
        # As a variable, since that reaches a main.py that makes the application itself.
        os.environ["NEXUS_DATABASE__SHARED"] = "true"
        holding = sole_use(path)
    with holding as lock:
        yield lock


def pause_before(failures: int) -> float:
    """Give the seconds to wait before a worker that died so often in a row is started again."""
    return float(min(_FIRST_PAUSE * 2 ** max(0, failures - 1), _LONGEST_PAUSE))


@dataclass(slots=True, kw_only=True)
class _Worker:
    """One place among the workers, and the process that has it."""

    number: int
    process: SpawnProcess | None = None
    line: connection.Connection | None = None
    began: float = 0.0
    failures: int = 0
    started: bool = False
    ready: bool = False
    crashes: int = 0
    reason: str = ""
    again_at: float | None = None


class Supervisor:
    """Starts the workers, starts those again that die, and ends all of them.

    Args:
        app: The application, for its settings.
        out: Where people read what happens.
        listening: The bound socket, which all workers share.
        attempts: Where it is noted that the start has come to its end.
        folder: The application's folder.
        lock: The handle of the database's lock, None where there is none.
    """

    def __init__(
        self,
        app: "NexusApp",
        out: Output,
        listening: socket.socket,
        attempts: StartAttempts,
        *,
        folder: Path,
        lock: int | None,
    ) -> None:
        self._settings = app.settings
        self._out = out
        self._listening = listening
        self._attempts = attempts
        self._safe_mode = app.parts.safe_mode.reason
        self._folder = folder
        self._lock = lock
        self._token = new_token()
        self._sockets = folder
        self._workers = [
            _Worker(number=number + 1) for number in range(app.settings.server.workers)
        ]
        self._serves = False
        self._stopping = False
        self._is_stuck = False
        app.set_up_logging()

    def run(self) -> None:
        """Serve until the process is told to stop.

        Raises:
            WorkerFailed: One of the workers could not start in the first place.
            CannotWrite: The run file could not be written.
            SystemExit: It was told to stop, and code in a worker did not let go.
        """
        with self._woken_by_signals() as woken, TemporaryDirectory(prefix="nexus-") as sockets:
            # Not in the data folder: the path of a socket has to be short.
            self._sockets = Path(sockets)
            try:
                # The first one makes what all need: keys, tables, the first token.
                self._begin(self._workers[0])
                while not self._stopping:
                    self._look(woken)
            finally:
                self._stopping = True
                remove_run_file(self._settings.data_folder)
                self._end(woken)
        if self._is_stuck:
            self._attempts.tell_crash()
            raise SystemExit(ExitCode.STUCK)

    def _begin(self, worker: _Worker) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        worker.line = ours
        worker.began, worker.reason = time.monotonic(), ""
        worker.started = worker.ready = False
        worker.again_at = None
        worker.process = context.Process(
            target=work,
            args=(self._order(worker), self._listening, theirs),
            name=f"nexus.worker.{worker.number}",
        )
        worker.process.start()
        theirs.close()

    def _order(self, worker: _Worker) -> WorkerOrder:
        safe_mode = self._safe_mode
        if worker.crashes >= TRIES and not safe_mode:
            safe_mode = f"This worker has ended {worker.crashes} times before it was ready."
        return WorkerOrder(
            folder=self._folder,
            number=worker.number,
            sockets=self._sockets,
            token=self._token,
            supervisor=os.getpid(),
            as_json=self._out.as_json,
            safe_mode=safe_mode,
            lock=None if self._lock is None else Inherited(self._lock),
        )

    # What happens

    def _look(self, woken: socket.socket) -> None:
        """Wait until something happens, and do what follows from it."""
        waited_for: list[Any] = [woken]
        waited_for += [each.sentinel for each in self._processes()]
        waited_for += [each.line for each in self._workers if each.line is not None]
        ready = connection.wait(waited_for, self._until_next_start())
        if woken in ready:
            with suppress(BlockingIOError):
                woken.recv(64)
        for worker in self._workers:
            if worker.line is not None and worker.line in ready:
                self._hear(worker)
            if worker.process is not None and worker.process.sentinel in ready:
                self._ended(worker)
        if not self._stopping:
            self._begin_those_due()

    def _begin_those_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.again_at is not None and worker.again_at <= now:
                self._begin(worker)

    def _until_next_start(self) -> float | None:
        times = [each.again_at for each in self._workers if each.again_at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _hear(self, worker: _Worker) -> None:
        try:
            what, *rest = worker.line.recv() if worker.line is not None else ("",)
        except (EOFError, OSError):  # it is about to end, and its end is told by itself
            if worker.line is not None:
                worker.line.close()
            worker.line = None
            return
        if what == FAILED:
            worker.reason = rest[0]
        elif what == READY:
            worker.ready, worker.crashes = True, 0
            if all(each.ready for each in self._workers):
                self._attempts.succeed()
        elif what == STARTED:
            worker.started = True
            if not self._serves:
                self._one_more_serves()

    def _one_more_serves(self) -> None:
        for worker in self._workers:
            if worker.process is None:
                self._begin(worker)
        if not all(each.started for each in self._workers):
            return
        self._serves = True
        write_run_file(
            self._settings.data_folder,
            RunFile(
                url=local_url(self._settings.server.host, self._listening),
                token=self._token,
                pid=os.getpid(),
                started=datetime.now(UTC).isoformat(),
            ),
        )
        line = self._workers[0].line
        if line is not None:
            with suppress(OSError):
                line.send(TELL)

    def _ended(self, worker: _Worker) -> None:
        while worker.line is not None and worker.line.poll():  # its last words
            self._hear(worker)
        code = self._reap(worker)
        if self._stopping:
            self._is_stuck = self._is_stuck or code == ExitCode.STUCK
            return
        reason = worker.reason or f"It ended with {_in_words(code)}."
        if not self._serves:
            raise WorkerFailed(worker=worker.number, reason=reason, crashed=not worker.reason)
        if not worker.ready and not worker.reason:
            worker.crashes += 1
        lived = time.monotonic() - worker.began
        worker.failures = 1 if lived >= _STEADY else worker.failures + 1
        pause = pause_before(worker.failures)
        worker.again_at = time.monotonic() + pause
        logger.error(
            "A worker has ended, and is started again",
            extra={"worker": worker.number, "reason": reason, "seconds": pause},
        )

    def _reap(self, worker: _Worker) -> int | None:
        code = None
        if worker.process is not None:
            worker.process.join()
            code = worker.process.exitcode
            worker.process.close()
        if worker.line is not None:
            worker.line.close()
        worker.process = worker.line = None
        return code

    # The end

    def _end(self, woken: socket.socket) -> None:
        for process in self._processes():
            process.terminate()
            with suppress(ProcessLookupError):
                if process.pid is not None:
                    os.kill(process.pid, signal.SIGCONT)  # one that is held could not obey
        while self._processes():
            self._look(woken)

    def _processes(self) -> list[SpawnProcess]:
        return [each.process for each in self._workers if each.process is not None]

    @contextmanager
    def _woken_by_signals(self) -> Iterator[socket.socket]:
        """Give a socket that can be read as soon as there was a signal."""
        woken, waking = socket.socketpair()
        with woken, waking:
            woken.settimeout(0)
            waking.settimeout(0)
            wakes_before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
            before = {
                number: signal.signal(number, self._told_to_stop)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
            try:
                yield woken
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(wakes_before)

    def _told_to_stop(self, number: int, _frame: object) -> None:
        if self._stopping and number == signal.SIGINT:
            for process in self._processes():
                process.kill()
            remove_run_file(self._settings.data_folder)
            self._attempts.call_off()
            os.write(2, b"\nStopped without waiting for work in hand.\n")
            os._exit(ExitCode.FORCED)
        if not self._stopping and number == signal.SIGINT:
            stream = 2 if self._out.as_json else 1
            os.write(stream, b"\nStopping; a second Ctrl-C stops without waiting.\n")
        self._stopping = True


def _in_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {-code} ({signal.Signals(-code).name})"
    return f"exit code {code}"
