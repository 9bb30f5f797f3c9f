"""The scheduled jobs of one generation."""

import contextvars
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nexus.events.cause import Cause, origin
from nexus.jobs.declaration import JobDeclaration
from nexus.jobs.live import JobCall, LiveJob
from nexus.jobs.record import JobKey, JobRecord, Outcome
from nexus.jobs.scheduler import JobScheduler
from nexus.observability.health import HealthStatus
from nexus.plugins.host import HostedPlugin
from nexus.plugins.plugin_trace import plugin_part
from nexus.plugins.tasks import PluginTasks

_BAD = frozenset({Outcome.FAILED, Outcome.TIMED_OUT})


class JobContributions:
    """What one generation has the scheduler run.

    Args:
        scheduler: Starts what is due.
        plugin: The plugin's name.
        number: The generation's number.
        variables: The context variables of its code.
        tasks: Owns the tasks that its jobs run in.

    Attributes:
        jobs: The jobs; none before `take`.
        begun: How many runs were begun.
    """

    def __init__(
        self,
        scheduler: JobScheduler,
        plugin: str,
        number: int,
        variables: contextvars.Context,
        tasks: PluginTasks,
    ) -> None:
        self.jobs: Sequence[LiveJob] = ()
        self.begun = 0
        self._scheduler = scheduler
        self._plugin = plugin
        self._number = number
        self._variables = variables
        self._tasks = tasks

    def take(self, hosted: HostedPlugin) -> None:
        """Take note of what the plugin declares.

        Raises:
            JobInvalid: Two of its jobs have one name.
        """
        self.jobs = [
            LiveJob(
                key=JobKey(self._plugin, each.name),
                declaration=each,
                generation=self._number,
                call=self._caller(hosted, each),
                own_part=plugin_part,
            )
            for each in hosted.jobs()
        ]

    def go_live(self, predecessor: "JobContributions | None") -> None:
        """Have them started from now on, and the predecessor's no longer."""
        self._scheduler.replace(predecessor.jobs if predecessor else (), self.jobs)

    @property
    def are_running(self) -> bool:
        """Whether one of them runs at the moment."""
        return self._scheduler.runs_one_of(self.jobs)

    def withdraw(self) -> None:
        """Have none of them started any longer."""
        self._scheduler.replace(self.jobs, ())

    async def drain(self, limit: float) -> int:
        """Wait for the runs in hand, and give how many had to be cut off at the limit."""
        return await self._scheduler.drain(self.jobs, limit)

    async def drop_others(self) -> None:
        """Forget the jobs that the plugin declares no longer."""
        await self._scheduler.keep_only(self._plugin, {each.declaration.name for each in self.jobs})

    def tell(self, health: HealthStatus) -> None:
        """Add to a plugin's health how its jobs do; one whose last run failed makes it unwell."""
        own = {each.key for each in self.jobs}
        failed: list[str] = []
        for record in self._scheduler.records(self._plugin):
            if record.key not in own:
                continue
            health.components[f"job:{record.name}"] = _component(record)
            if record.outcome in _BAD:
                failed.append(f"Job {record.name!r} {record.outcome}: {record.error}")
        if failed:
            health.healthy = False
            health.message = " ".join(filter(None, (health.message, *failed)))

    def _caller(self, hosted: HostedPlugin, declaration: JobDeclaration) -> Any:
        def call(run: str) -> JobCall:
            self.begun += 1
            context = self._variables.copy()
            context.run(origin.set, Cause(correlation_id=run))
            made = hosted.call_job(declaration, context)
            task: Any = made.ended
            if hasattr(task, "get_name"):  # a thread has no task
                self._tasks.adopt(task)
            return made

        return call


def _component(record: JobRecord) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "status": "degraded" if record.outcome in _BAD else "healthy",
        "next_run": datetime.fromtimestamp(record.next_run, UTC).isoformat(),
    }
    if record.outcome is not None:
        found["last_outcome"] = str(record.outcome)
    if record.error:
        found["error"] = record.error
    return found
