"""One run of a job: its lease, its time limit, and how it ended."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from nexus.errors import NexusError
from nexus.events.dead_letters import describe, place
from nexus.jobs.live import JobCall, LiveJob
from nexus.jobs.record import JobKey, Outcome
from nexus.jobs.settings import JobSettings
from nexus.jobs.store import JobStore

logger = logging.getLogger(__name__)

_AGAIN: Final = 1.0
"""Seconds until a database that was away is asked again."""


class JobRun:
    """Runs a job that has been claimed, and holds its lease meanwhile.

    The lease is held until the plugin's code has really ended, so that a job never runs beside
    itself, whatever its code does when it is cancelled.

    Args:
        job: What runs.
        run: The run's id.
        epoch: The claim's epoch.
        claimed: When it was claimed, by the monotonic clock.
        store: Where the lease is.
        settings: The limits.
        mask: Takes secrets out of a text.

    Attributes:
        job: What runs.
        outcome: How it ended; None while it runs, and after the lease was lost.
        error: What went wrong.
        seconds: How long it took.
    """

    def __init__(
        self,
        job: LiveJob,
        *,
        run: str,
        epoch: int,
        claimed: float,
        store: JobStore,
        settings: JobSettings,
        mask: Callable[[str], str],
    ) -> None:
        self.job = job
        self.outcome: Outcome | None = None
        self.error = ""
        self.seconds = 0.0
        self._run = run
        self._epoch = epoch
        self._store = store
        self._settings = settings
        self._mask = mask
        self._limit = job.declaration.timeout or settings.timeout
        self._held_until = claimed + store.lease
        self._renew_at = claimed + store.lease / 3
        self._ending: Outcome | None = None
        self._lost = False
        self._call: JobCall | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def key(self) -> JobKey:
        """The job's name in the cluster."""
        return self.job.key

    @property
    def task(self) -> "asyncio.Task[None]":
        """The task that ends when the run has ended and that is stored."""
        if self._task is None:
            message = "The run has not begun."
            raise RuntimeError(message)
        return self._task

    def begin(self) -> None:
        """Let it run."""
        self._task = asyncio.get_running_loop().create_task(
            self._supervise(),
            name=f"nexus.job.{self.key.plugin}.{self.key.name}",
            context=Context(),  # no transaction or cause of whoever happens to wake us
        )

    def cut_off(self) -> None:
        """Cancel it, since its generation has to end; it is made up for later."""
        self._cancel(Outcome.INTERRUPTED)

    async def _supervise(self) -> None:
        began = time.monotonic()
        self._call = self.job.call(self._run)
        await self._watch(self._call.ended, began + self._limit)
        self.seconds = time.monotonic() - began
        self._judge(self._call.ended)
        await self._store_outcome()

    async def _watch(self, code: "asyncio.Future[Any]", ends_at: float) -> None:
        while not code.done():
            now = time.monotonic()
            waits = []
            if not self._lost:
                waits.append(self._renew_at - now)
            if self._ending is None:
                waits.append(ends_at - now)
            await asyncio.wait({code}, timeout=max(0.0, min(waits)) if waits else None)
            if code.done():
                return
            now = time.monotonic()
            if self._ending is None and now >= ends_at:
                self._cancel(Outcome.TIMED_OUT)
            if not self._lost and now >= self._renew_at:
                await self._renew(now)

    async def _renew(self, now: float) -> None:
        self._renew_at = now + min(_AGAIN, self._store.lease / 6)
        patience = None if self._store.alone else max(_AGAIN, self._held_until - now)
        try:
            async with asyncio.timeout(patience):
                holds = await self._store.renew(self.key, self._epoch)
        except (NexusError, TimeoutError) as error:
            if (
                not self._store.alone
                and time.monotonic() >= self._held_until - self._store.lease / 6
            ):
                # Others cannot tell it from one that is dead, and may have begun by now.
                self._lose(f"its worker could not renew it ({describe(error)})")
            return
        if not holds:
            self._lose("another worker has taken it over")
            return
        self._held_until = now + self._store.lease
        self._renew_at = now + self._store.lease / 3

    def _lose(self, why: str) -> None:
        self._lost = True
        logger.error(
            "A job's lease was lost during its run, which is cancelled",
            extra={**self._fields(), "reason": why},
        )
        self._cancel(Outcome.INTERRUPTED)

    def _cancel(self, ending: Outcome) -> None:
        if self._ending is None:
            self._ending = ending
        if self._call is not None:
            self._call.cancel()

    def _judge(self, code: "asyncio.Future[Any]") -> None:
        error = None if code.cancelled() else code.exception()
        if self._ending is Outcome.TIMED_OUT:
            self.error = f"It did not end within {self._limit:g} s and was cancelled."
            self.outcome = Outcome.TIMED_OUT
            logger.error("A job took too long", extra={**self._fields(), "limit": self._limit})
        elif self._ending is not None:
            self.error = "It was cut off at the end of its generation."
            self.outcome = Outcome.INTERRUPTED
            logger.warning("A job was cut off", extra=self._fields())
        elif error is None and not code.cancelled():
            self.outcome = Outcome.SUCCEEDED
        else:
            self.outcome = Outcome.FAILED
            self._failed(error)

    def _failed(self, error: BaseException | None) -> None:
        if error is None:
            self.error = "It was cancelled by its own code."
            logger.error("A job failed", extra={**self._fields(), "error": self.error})
            return
        shown = self.job.own_part(error)
        at = place(shown)
        self.error = self._mask(f"{describe(shown)} (at {at})" if at else describe(shown))
        logger.error(
            "A job failed",
            extra={**self._fields(), "error": describe(shown), "at": at},
            exc_info=shown,
        )

    async def _store_outcome(self) -> None:
        outcome, self.outcome = self.outcome, None
        while outcome is not None and not self._lost:
            try:
                stored = await self._store.finish(self.key, self._epoch, outcome, self.error)
            except NexusError as error:
                if not self._store.alone and time.monotonic() >= self._held_until:
                    self._lost = True
                logger.warning(
                    "The end of a job's run cannot be stored yet",
                    extra={**self._fields(), "outcome": outcome.value, "reason": str(error)},
                )
                await asyncio.sleep(_AGAIN)
                continue
            if stored:
                self.outcome = outcome
                return
            self._lost = True
        logger.error(
            "The end of a job's run came after its lease was lost, and is not stored",
            extra={**self._fields(), "outcome": None if outcome is None else outcome.value},
        )

    def _fields(self) -> dict[str, Any]:
        return {
            "plugin": self.key.plugin,
            "job": self.key.name,
            "run": self._run,
            "generation": self.job.generation,
        }
