"""The parts of the platform that a generation is made with."""

import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from nexus.audit import AuditLog
from nexus.config import ConfigChange
from nexus.data import KeyValueStore
from nexus.data.database import Database
from nexus.events import EventBus
from nexus.jobs.scheduler import JobScheduler
from nexus.plugins.caller import OwnInterface
from nexus.plugins.dependants import Dependants
from nexus.plugins.drain_budget import DrainBudget
from nexus.plugins.exposure import Exposure
from nexus.plugins.host import Host
from nexus.plugins.quarantine import QuarantineList
from nexus.plugins.restarts import RestartPolicy
from nexus.plugins.safe_mode import SafeMode
from nexus.security import Grants
from nexus.services import ServiceRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, in seconds.

    Attributes:
        slow_start: A start that takes longer is reported.
        start: A start that takes longer is given up.
        health: A health check that takes longer is unhealthy.
        shutdown: `shutdown()` may take this long.
        first_use: Whoever uses a plugin that starts at its first use waits this long.
    """

    slow_start: float = 10.0
    start: float = 60.0
    health: float = 5.0
    shutdown: float = 10.0
    first_use: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What every generation shares.

    Attributes:
        host: Loads the code.
        bus: Carries the events.
        services: Holds the live services.
        jobs: Starts scheduled jobs.
        database: Keeps everything that must last.
        store: Keeps data and stored settings, in the database.
        exposure: Shows the routes.
        limits: How long things may take.
        document_limit: The greatest size of a document, in bytes of JSON.
        environment: `development` or `production`.
        drain: How long what is in hand at a swap or stop may take to finish.
        variables: The context variables that plugin code starts from.
        restarts: How often what fails is started again.
        quarantine: Which plugins are not started again by themselves.
        safe_mode: Keeps plugins from starting while it is on.
        grants: What plugins may do.
        audit: Who has changed what.
        interface: The application's own HTTP interface.
        settings_changed: Told (plugin, changes) after a plugin changed its own settings.
        mask: Takes secrets out of a text.
        dependants: Knows who is to be told when a generation serves no longer.
    """

    host: Host
    bus: EventBus
    services: ServiceRegistry
    jobs: JobScheduler
    database: Database
    store: KeyValueStore
    exposure: Exposure
    limits: Limits
    document_limit: int
    environment: str
    drain: DrainBudget
    variables: contextvars.Context
    restarts: RestartPolicy
    quarantine: QuarantineList
    safe_mode: SafeMode
    grants: Grants
    audit: AuditLog
    interface: OwnInterface
    settings_changed: Callable[[str, Sequence[ConfigChange]], Awaitable[None]]
    mask: Callable[[str], str] = str
    dependants: Dependants = field(default_factory=Dependants)
