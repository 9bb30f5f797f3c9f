"""A thread that owns one SQLite connection and serves the event loop's callers in batches."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

from nexus.data.engines.sqlite.file import LOST, SqliteFile, primary_code, refused, translated
from nexus.data.engines.sqlite.turn import Turn
from nexus.errors import DatabaseClosed

logger = logging.getLogger(__name__)

Function: TypeAlias = Callable[[sqlite3.Connection], Any]
Work: TypeAlias = str | Function
"""One SQL statement, or a function for the connection, which runs in the thread."""
Job: TypeAlias = tuple[asyncio.Future[Any], Work, Sequence[Any]]
Outcome: TypeAlias = tuple[asyncio.Future[Any], Any, Exception | None]
Perform: TypeAlias = Callable[[sqlite3.Connection, list[Job]], list[Outcome]]
"""Does a batch; a job's error is its outcome, and an error raised is the outcome of all."""

MAX_BATCH: Final = 256
NEVER: Final = float("inf")
_INSTRUCTIONS: Final = 50_000
"""After so many of its virtual machine's, which take about a millisecond, SQLite asks whether to go
on."""
_FAREWELL: Final = 5.0
"""Seconds that what is under way has to end when the database is closed."""


class DatabaseThread:
    """Takes what the event loop queued, does it together, and answers with one wake-up.

    All methods but `_run` and what it calls belong to the event loop that called `start`.

    Args:
        file: The database.
        perform: Does a batch.
        name: The thread's name.
        query_only: Whether its connection refuses changes.
        slow: Seconds from which a batch, or a job of a turn, is logged.
        lock: Held while its connection is used.
        limit: Seconds that a statement may take.

    Attributes:
        failures: How many jobs failed.
        slow_batches: How many were logged as slow.
    """

    def __init__(
        self,
        file: SqliteFile,
        perform: Perform,
        *,
        name: str,
        query_only: bool,
        slow: float = NEVER,
        limit: float = NEVER,
        lock: "threading.Lock | None" = None,
    ) -> None:
        self._file = file
        self._perform = perform
        self._query_only = query_only
        self._slow = slow
        self._limit = limit
        self._lock = lock or threading.Lock()
        self._deadline = NEVER
        self._end_by = NEVER
        self._served: Turn | None = None
        self._queue: SimpleQueue[Job | Turn | None] = SimpleQueue()
        self._turns: set[Turn] = set()
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = False
        self.failures = 0
        self.slow_batches = 0
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)

    async def start(self) -> None:
        """Start the thread and wait until its connection is open.

        Raises:
            DatabaseUnavailable: The file cannot be opened; the thread has ended again.
        """
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        opened = self._loop.create_future()
        self._queue.put((opened, _nothing, ()))
        # A daemon, so that an application that forgot close() can still end; a commit that is
        # cut off there was never acknowledged, and WAL discards it.
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        self._open = True
        try:
            await opened
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Finish what is queued, close the connection and join the thread.

        What takes longer than a few seconds is stopped.
        """
        thread = self._thread
        if thread is None:
            return
        if self._open:
            self._open = False
            self._end_by = time.perf_counter() + _FAREWELL
            for turn in self._turns:
                turn.end()
            self._queue.put(None)
        await asyncio.shield(self._stopped)
        thread.join()
        self._thread = None

    @property
    def is_lent(self) -> bool:
        """Tell whether somebody has a turn, or waits for one."""
        return bool(self._turns)

    @property
    def depth(self) -> int:
        """How many jobs wait."""
        return self._queue.qsize()

    def submit(self, work: Work, parameters: Sequence[Any] = ()) -> asyncio.Future[Any]:
        """Queue a job and give the future of its result.

        Raises:
            DatabaseClosed: The thread does not run.
        """
        if not self._open or self._loop is None:
            raise DatabaseClosed(path=str(self._file.path))
        future = self._loop.create_future()
        self._queue.put((future, work, parameters))
        return future

    async def take_turn(self) -> Turn:
        """Wait for a turn: a transaction of the caller's own, until `Turn.end`.

        Raises:
            DatabaseClosed: The thread does not run.
            DatabaseUnavailable: The transaction cannot be begun.
        """
        if not self._open or self._loop is None:
            raise DatabaseClosed(path=str(self._file.path))
        turn = Turn(self._loop, str(self._file.path))
        self._turns.add(turn)
        turn.ended.add_done_callback(lambda _: self._turns.discard(turn))
        self._queue.put(turn)
        try:
            await turn.granted
        except BaseException:
            turn.end()
            raise
        return turn

    def _run(self) -> None:
        queue = self._queue
        running = True
        while running:
            batch: list[Job] = []
            turn: Turn | None = None
            while not batch or (len(batch) < MAX_BATCH and not queue.empty()):
                job = queue.get()
                if job is None:
                    running = False
                    break
                if isinstance(job, Turn):
                    turn = job
                    break
                batch.append(job)
            if batch:
                with self._lock:
                    outcomes = self._outcomes(batch)
                running = self._tell(_resolve, outcomes) and running
            if turn is not None:
                with self._lock:
                    running = self._serve(turn) and running
        with self._lock:
            self._disconnect()
        self._tell(_finish, self._stopped)

    def _serve(self, turn: Turn) -> bool:
        """Do the jobs of one turn and nobody else's."""
        try:
            connection = self._connected()
            connection.execute("BEGIN" if self._query_only else "BEGIN IMMEDIATE")
        except Exception as error:  # noqa: BLE001  handed to the caller, whose error it is
            refusal = translated(self._file.path, error)
            running = self._tell(_resolve, [(turn.granted, None, refusal)])
            return self._tell(_finish, turn.ended) and running
        running = self._tell(_resolve, [(turn.granted, None, None)])
        lost = False
        self._served = turn
        while running and (job := turn.jobs.get()) is not None:
            began = time.perf_counter()
            self._deadline = began + self._limit
            outcome = turn.outcome(connection, self._file.path, job)
            self._report(began, [job])
            lost = lost or _is_lost(outcome[2])
            running = self._tell(_resolve, [outcome])
        self._served, self._deadline = None, NEVER
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            lost = True
        if lost:
            self._disconnect()
        return self._tell(_finish, turn.ended) and running

    def _must_stop(self) -> bool:
        """Tell SQLite, which asks in between, whether a statement has taken long enough."""
        turn = self._served
        if turn is not None and turn.is_over:  # nobody waits for its answer
            return True
        now = time.perf_counter()
        is_patient = turn is not None and turn.is_patient
        return now > self._end_by or (now > self._deadline and not is_patient)

    def _tell(self, callback: Callable[[Any], None], answer: object) -> bool:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback, answer)
        except RuntimeError:  # the loop was closed before close(): nobody is left to be answered
            return False
        return True

    def _report(self, began: float, batch: list[Job]) -> None:
        seconds = time.perf_counter() - began
        if seconds < self._slow:
            return
        self.slow_batches += 1
        statements = dict.fromkeys(work if isinstance(work, str) else "-" for _, work, _ in batch)
        logger.warning(
            "A query was slow",
            extra={"seconds": round(seconds, 3), "statement": "; ".join(statements)[:1000]},
        )

    def _outcomes(self, batch: list[Job]) -> list[Outcome]:
        began = time.perf_counter()
        self._deadline = began + self._limit * len(batch)
        try:
            outcomes = self._perform(self._connected(), batch)
        except Exception as error:  # noqa: BLE001  handed to the callers, none of whom may hang
            outcomes = [(future, None, error) for future, _, _ in batch]
        self._report(began, batch)
        errors = [error for _, _, error in outcomes if error is not None]
        self.failures += len(errors)
        if not errors:
            return outcomes
        if any(primary_code(error) in LOST for error in errors):
            self._disconnect()
        return [
            (future, result, error and translated(self._file.path, refused(error)))
            for future, result, error in outcomes
        ]

    def _connected(self) -> sqlite3.Connection:
        # A file that was taken away would swallow writes without a word, and one that was put in
        # its place would never be seen; looking costs 2 microseconds a batch.
        identity = self._file.identity()
        if self._connection is not None and identity == self._identity:
            return self._connection
        self._disconnect()
        self._connection = self._file.connect(query_only=self._query_only)
        self._connection.set_progress_handler(self._must_stop, _INSTRUCTIONS)
        self._identity = identity
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_lost(error: Exception | None) -> bool:
    return error is not None and primary_code(error.__cause__ or error) in LOST


def _resolve(outcomes: list[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # its caller was cancelled meanwhile
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _finish(stopped: asyncio.Future[None]) -> None:
    if not stopped.done():
        stopped.set_result(None)


def _nothing(connection: sqlite3.Connection) -> None:
    """Wait for the connection and nothing else."""
