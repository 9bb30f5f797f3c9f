"""What jobs have done in this process, for the metrics."""

from collections import Counter

from nexus.jobs.record import JobKey, Outcome


class JobTally:
    """Counts the runs of this process.

    Attributes:
        runs: How many ended, by job and outcome.
        seconds: How long they took together, by job.
        last_seconds: How long the last one took, by job.
    """

    def __init__(self) -> None:
        self.runs: Counter[tuple[JobKey, Outcome]] = Counter()
        self.seconds: Counter[JobKey] = Counter()
        self.last_seconds: dict[JobKey, float] = {}

    def count(self, key: JobKey, outcome: Outcome, seconds: float) -> None:
        """Count a run that has ended."""
        self.runs[key, outcome] += 1
        self.seconds[key] += seconds  # type: ignore[assignment]  # a sum, as a Counter keeps it
        self.last_seconds[key] = seconds
