"""Errors about scheduled jobs."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError, did_you_mean


class JobInvalid(NexusError):
    """A method cannot be a scheduled job as it was decorated."""

    code = "job-invalid"

    def __init__(self, *, job: str, found: str, expected: str) -> None:
        super().__init__(job=job, found=found, expected=expected)

    @override
    def render(self) -> str:
        where = f"{self.data['job']}: " if self.data["job"] else ""
        return f"{where}{self.data['found']}. Expected {self.data['expected']}."


class JobUnknown(NexusError):
    """Somebody asked for a scheduled job that there is not."""

    code = "job-unknown"

    def __init__(self, *, plugin: str, job: str, known: Sequence[str] = ()) -> None:
        super().__init__(plugin=plugin, job=job, known=list(known))

    @override
    def render(self) -> str:
        known = self.data["known"]
        there = f" It has {', '.join(known)}." if known else " It has none."
        return (
            f"Plugin {self.data['plugin']!r} has no scheduled job {self.data['job']!r}."
            f"{did_you_mean(self.data['job'], known)}{there} Expected the name of a method that is"
            " decorated with @every or @cron; 'nexus jobs list' shows them all."
        )


class JobRunning(NexusError):
    """A job was to run now, and it runs already."""

    code = "job-running"

    def __init__(self, *, plugin: str, job: str, worker: str) -> None:
        super().__init__(plugin=plugin, job=job, worker=worker)

    @override
    def render(self) -> str:
        return (
            f"The job {self.data['plugin']}:{self.data['job']} runs already, in worker"
            f" {self.data['worker']}, and a job never runs twice at once. Run it again when it has"
            " ended; 'nexus jobs list' shows that."
        )
