"""What the author of a plugin imports; and, in its modules, the stages of the pipeline."""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names
from nexus.observability.health import HealthStatus
from nexus.plugins.base import BasePlugin
from nexus.plugins.state import PluginState, PluginStatus

if TYPE_CHECKING:
    from nexus.jobs.decorators import cron, every
    from nexus.plugins.admin_page import AdminPage

__all__ = [
    "AdminPage",
    "BasePlugin",
    "HealthStatus",
    "PluginState",
    "PluginStatus",
    "cron",
    "every",
]

_HOMES = {
    "AdminPage": "nexus.plugins.admin_page",
    "cron": "nexus.jobs.decorators",
    "every": "nexus.jobs.decorators",
}

__getattr__, _ = lazy_names(__name__, _HOMES)
