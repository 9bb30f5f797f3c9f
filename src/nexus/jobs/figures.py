"""The figures of scheduled jobs, as metric families."""

import time
from collections.abc import Callable, Iterator

from nexus.jobs.record import JobKey, Outcome
from nexus.jobs.scheduler import JobScheduler
from nexus.observability.metrics import Family, Sample


def job_figures(
    scheduler: JobScheduler, clock: Callable[[], float] = time.time
) -> Callable[[], Iterator[Family]]:
    """Make a source of the jobs' figures.

    What is counted, this process has done; the times are those of the whole cluster, of the plugins
    that run in this process.

    Args:
        scheduler: Runs the jobs.
        clock: Gives the seconds since the epoch.
    """

    def families() -> Iterator[Family]:
        yield from _counted(scheduler)
        records = scheduler.records()
        yield Family(
            name="nexus_job_running",
            help="1 while a worker of the cluster runs the job.",
            samples=[
                Sample(value=float(each.worker is not None), labels=_labels(each.key))
                for each in records
            ],
        )
        yield Family(
            name="nexus_job_next_run_timestamp_seconds",
            help="When the job is due next, in seconds since the epoch.",
            samples=[Sample(value=each.next_run, labels=_labels(each.key)) for each in records],
        )
        yield Family(
            name="nexus_job_seconds_since_success",
            help="Seconds since a run of the job last ended well; none before the first.",
            samples=[
                Sample(value=max(0.0, clock() - each.succeeded), labels=_labels(each.key))
                for each in records
                if each.succeeded is not None
            ],
        )

    return families


def _counted(scheduler: JobScheduler) -> Iterator[Family]:
    tally = scheduler.tally
    keys = sorted({key for key, _ in tally.runs if scheduler.is_live(key)})
    yield Family(
        name="nexus_job_runs",
        help="Runs that this process has ended, by outcome.",
        counter=True,
        samples=[
            Sample(
                value=tally.runs[key, outcome], labels={**_labels(key), "outcome": outcome.value}
            )
            for key in keys
            for outcome in Outcome
        ],
    )
    yield Family(
        name="nexus_job_failures",
        help="Runs that failed or took too long.",
        counter=True,
        samples=[
            Sample(
                value=tally.runs[key, Outcome.FAILED] + tally.runs[key, Outcome.TIMED_OUT],
                labels=_labels(key),
            )
            for key in keys
        ],
    )
    yield Family(
        name="nexus_job_run_seconds",
        help="How long the runs took together.",
        counter=True,
        samples=[Sample(value=tally.seconds[key], labels=_labels(key)) for key in keys],
    )
    yield Family(
        name="nexus_job_last_run_seconds",
        help="How long the last run in this process took.",
        samples=[Sample(value=tally.last_seconds[key], labels=_labels(key)) for key in keys],
    )


def _labels(key: JobKey) -> dict[str, str]:
    return {"plugin": key.plugin, "job": key.name}
