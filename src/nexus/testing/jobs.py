"""Running a scheduled job in a test, whatever the time is."""

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from nexus.errors import JobUnknown
from nexus.jobs.declaration import declared_jobs
from nexus.jobs.record import JobKey, JobRecord
from nexus.plugins import BasePlugin

if TYPE_CHECKING:
    from nexus.app import NexusApp

_GLANCE = 0.01
"""Seconds between two looks at whether a run has ended."""


async def run_job(target: "NexusApp | BasePlugin", name: str, *, timeout: float = 5.0) -> Any:
    """Run a scheduled job now, and wait for its end.

    Of a plugin object the method is called as it is, and what it raises reaches the test. In an
    application the job runs as it does when it is due: claimed in the database, watched, and with
    its outcome in the plugin's health.

    Args:
        target: A plugin object, or an application.
        name: The job's name; `plugin:name` for an application.
        timeout: Seconds to wait.

    Returns:
        What the method of a plugin object returned; an application's job gives None.

    Raises:
        JobUnknown: There is no such job.
        JobRunning: The application runs it already.
        AssertionError: It did not end in time, or the run in the application did not end well.
    """
    try:
        async with asyncio.timeout(timeout):
            if isinstance(target, BasePlugin):
                return await _call(target, name)
            return await _run(target, name)
    except TimeoutError:
        raise AssertionError(f"The job {name!r} did not end within {timeout:g} s.") from None


async def _call(plugin: BasePlugin, name: str) -> Any:
    jobs = {each.name: each for each in declared_jobs(type(plugin))}
    if name not in jobs:
        raise JobUnknown(plugin=plugin.name, job=name, known=list(jobs))
    method = getattr(plugin, jobs[name].method)
    if inspect.iscoroutinefunction(method):
        return await method()
    return await asyncio.to_thread(method)


async def _run(app: "NexusApp", name: str) -> None:
    plugin, _, job = name.partition(":")
    scheduler, key = app.parts.jobs, JobKey(plugin, job)
    before = _ended(await scheduler.run_now(key))
    while True:
        record = next(each for each in await scheduler.read() if each.key == key)
        if record.worker is None and _ended(record) > before:
            break
        await asyncio.sleep(_GLANCE)
    if record.outcome != "succeeded":
        raise AssertionError(f"The job {name!r} {record.outcome}: {record.error}")


def _ended(record: JobRecord) -> int:
    return record.runs + record.interruptions
