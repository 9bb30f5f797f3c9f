"""What the database knows of a job."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class JobKey(NamedTuple):
    """What a job is called in the whole cluster."""

    plugin: str
    name: str


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One row of `nexus_jobs`; times are seconds since the epoch by the database's clock.

    Attributes:
        plugin: Whose job it is.
        name: What it is called there.
        schedule: Its schedule's text.
        next_run: When it is due.
        wanted: When somebody asked that it runs now, None when nobody does.
        started: When the last run started, or the one that runs.
        ended: When the last run ended.
        succeeded: When a run last ended well.
        outcome: How the last run ended, None before the first.
        error: What went wrong with it; empty when nothing did.
        run: The last run's id, which is the correlation id of the events that it published.
        worker: Who runs it; None when nobody does.
        lease_until: Until when the worker counts as alive without a further report.
        epoch: How often it was given to a worker.
        runs: How many runs have ended.
        failures: How many of them failed or took too long.
        interruptions: How many runs were cut off, by the end of their worker or generation.
        crashes: How many workers in a row ended during a run.
    """

    plugin: str
    name: str
    schedule: str
    next_run: float
    wanted: float | None
    started: float | None
    ended: float | None
    succeeded: float | None
    outcome: Outcome | None
    error: str
    run: str | None
    worker: str | None
    lease_until: float
    epoch: int
    runs: int
    failures: int
    interruptions: int
    crashes: int

    @property
    def key(self) -> JobKey:
        """The job's name in the cluster."""
        return JobKey(self.plugin, self.name)
