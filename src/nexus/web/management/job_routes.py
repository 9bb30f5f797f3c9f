"""Scheduled jobs in the management API."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from nexus.errors import JobUnknown, PluginNotRunning
from nexus.jobs.record import JobKey, JobRecord
from nexus.jobs.scheduler import JobScheduler
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext


class JobView(BaseModel):
    """A scheduled job of the cluster."""

    plugin: str
    name: str
    schedule: str
    live: bool
    running: bool
    next_run: datetime
    requested: bool
    last_start: datetime | None
    last_end: datetime | None
    last_success: datetime | None
    last_outcome: str | None
    error: str
    last_run: str | None
    worker: str | None
    lease_until: datetime | None
    runs: int
    failures: int
    interruptions: int


class JobList(BaseModel):
    """Scheduled jobs by plugin and name."""

    items: list[JobView]


def job_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/jobs`."""
    router = APIRouter(
        prefix="/jobs", tags=["management: jobs"], route_class=closed_route(context.tokens)
    )
    scheduler, manager = context.jobs, context.manager

    @router.get("", summary="List the scheduled jobs with their last and next runs")
    async def list_jobs(
        plugin: Annotated[str | None, Query(description="Only those of this plugin.")] = None,
    ) -> JobList:
        found = await scheduler.read()
        wanted = [each for each in found if plugin in (None, each.plugin)]
        return JobList(items=[_view(each, scheduler) for each in wanted])

    @router.get("/{plugin}/{name}", summary="Show a scheduled job")
    async def show(plugin: str, name: str) -> JobView:
        found = await scheduler.read()
        for each in found:
            if each.key == (plugin, name):
                return _view(each, scheduler)
        known = [each.name for each in found if each.plugin == plugin]
        if not known:
            manager.controller(plugin)  # which knows whether there is such a plugin at all
        raise JobUnknown(plugin=plugin, job=name, known=known)

    @router.post(
        "/{plugin}/{name}/run",
        status_code=202,
        summary="Have a scheduled job run now",
        description="Answers at once with the job as it was before: its run has ended when `runs`"
        " or `interruptions` is greater. 409 where it runs already.",
    )
    async def run(plugin: str, name: str) -> JobView:
        status = manager.controller(plugin).status
        if manager.controller(plugin).live is None:
            raise PluginNotRunning(name=plugin, state=str(status.state), reason=status.reason)
        async with context.audit.change("job.run", plugin=plugin) as change:
            change.after = {"job": name}
            record = await scheduler.run_now(JobKey(plugin, name))
        return _view(record, scheduler)

    return router


def _view(record: JobRecord, scheduler: JobScheduler) -> JobView:
    is_running = record.worker is not None
    return JobView(
        plugin=record.plugin,
        name=record.name,
        schedule=record.schedule,
        live=scheduler.is_live(record.key),
        running=is_running,
        next_run=datetime.fromtimestamp(record.next_run, UTC),
        requested=record.wanted is not None,
        last_start=_moment(record.started),
        last_end=_moment(record.ended),
        last_success=_moment(record.succeeded),
        last_outcome=None if record.outcome is None else str(record.outcome),
        error=record.error,
        last_run=record.run,
        worker=record.worker,
        lease_until=_moment(record.lease_until) if is_running else None,
        runs=record.runs,
        failures=record.failures,
        interruptions=record.interruptions,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
