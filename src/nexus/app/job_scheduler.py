"""The scheduler of jobs, as the settings have it."""

import os
import socket
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from nexus.data.database import Database
from nexus.jobs.scheduler import JobScheduler
from nexus.jobs.settings import JobSettings
from nexus.jobs.store import JobStore

if TYPE_CHECKING:
    from nexus.config import Settings


def job_scheduler_of(
    settings: "Settings", database: Database, mask: Callable[[str], str]
) -> JobScheduler:
    """Make an application's scheduler, with the jobs in its database."""
    limits = JobSettings(
        lease=settings.jobs.lease,
        timeout=settings.jobs.timeout,
        alone=database.engine == "sqlite" and not settings.database.shared,
    )
    # For operators the machine and the process; the rest since both come again.
    worker = f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    store = JobStore(database, worker=worker, lease=limits.lease, alone=limits.alone)
    return JobScheduler(store, limits, mask=mask)
