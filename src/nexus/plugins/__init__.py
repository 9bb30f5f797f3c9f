"""What the author of a plugin imports; and, in its modules, the stages of the pipeline."""

from nexus.observability.health import HealthStatus
from nexus.plugins.base import BasePlugin
from nexus.plugins.state import PluginState, PluginStatus

__all__ = ["BasePlugin", "HealthStatus", "PluginState", "PluginStatus"]
