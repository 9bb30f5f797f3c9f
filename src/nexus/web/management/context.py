"""What the management API works on."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus.audit import AuditLog
from nexus.config.secret_rotation import SecretRotation
from nexus.events import EventBus
from nexus.jobs.scheduler import JobScheduler
from nexus.observability.siblings import Siblings
from nexus.plugins.manager import PluginManager
from nexus.plugins.operator import Operator
from nexus.plugins.plugin_logs import PluginLogs
from nexus.plugins.settings_desk import SettingsDesk
from nexus.security import AdminTokens, Grants
from nexus.services import ServiceRegistry
from nexus.transfer import DataDesk
from nexus.web.management.activity import Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementContext:
    """The parts of a running application that operators look at and change.

    Attributes:
        manager: The plugins.
        operator: Does what operators want with plugins, on all workers.
        settings: Reads and changes the plugins' configuration.
        bus: The events.
        jobs: The scheduled jobs.
        services: The live services.
        tokens: Who may use the API.
        system: Gives what `GET /api/v1/system` answers.
        maintenance: Gives the maintenance message, None when there is no maintenance.
        set_maintenance: Begins maintenance with a message, or ends it with None.
        data: What plugins have stored.
        backup: Writes a consistent copy of the application's data to a new file.
        audit: Has a row of every change.
        grants: What plugins may do.
        activity: How much there is to do.
        logs: What plugins have logged, and how much they log.
        siblings: The workers that share the address of this one.
        secrets: Exchanges the key that encrypts stored secrets.
        mask: Takes secrets out of a text.
    """

    manager: PluginManager
    operator: Operator
    settings: SettingsDesk
    bus: EventBus
    jobs: JobScheduler
    services: ServiceRegistry
    tokens: AdminTokens
    system: Callable[[], Mapping[str, Any]]
    maintenance: Callable[[], str | None]
    set_maintenance: Callable[[str | None], Awaitable[None]]
    data: DataDesk
    backup: Callable[[Path], Awaitable[None]]
    audit: AuditLog
    grants: Grants
    activity: Activity
    logs: PluginLogs
    siblings: Siblings
    secrets: SecretRotation
    mask: Callable[[str], str] = str
