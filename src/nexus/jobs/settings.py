"""How scheduled jobs are run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """What holds for all jobs.

    Attributes:
        lease: Seconds without a report after which a worker counts as dead and its jobs go to
            others.
        timeout: Seconds that a run may take, where the job itself sets no limit.
        alone: Whether no other process uses the database, so that any other worker is dead.
        max_crashes: How many workers in a row may end during a job's run until it is not made up
            for any longer, and waits for its next time.
        grace: Seconds that a run has to end at the end of its generation, once it is cancelled.
    """

    lease: float = 30.0
    timeout: float = 3600.0
    alone: bool = True
    max_crashes: int = 3
    grace: float = 2.0
