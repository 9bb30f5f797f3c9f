"""Where a plugin's code lives, and the small protocol behind which it does.

Nothing above a host knows whether the code runs in this process.
"""

import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nexus.jobs.declaration import JobDeclaration
from nexus.jobs.live import JobCall
from nexus.observability.health import HealthStatus
from nexus.plugins.admin_page import AdminPage
from nexus.plugins.context import PluginContext

if TYPE_CHECKING:
    from nexus.data.models import Models
    from nexus.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """All that a host needs to bring one generation to life.

    Attributes:
        manifest: What the plugin's contract is.
        folder: Where its code is.
        own_names: Absolute package names by which its code may import itself.
        number: The generation's number.
    """

    manifest: "Manifest"
    folder: Path
    own_names: tuple[str, ...]
    number: int


class HostedPlugin(Protocol):
    """The plugin's side of one generation, whose code may misbehave in any way.

    Every method raises HookFailed for whatever the plugin's code does wrong.
    """

    async def models(self) -> "Models | None":
        """Give the models in `schemas/models.py`; None where there are none.

        Raises:
            PluginLoadError: They cannot be imported.
            ModelsInvalid: They cannot be the plugin's own.
        """

    async def schema(self) -> Mapping[str, Any]:
        """Give what `get_database_schema` returns."""

    async def initialize(self, timeout: float) -> None:
        """Run `initialize`; returns only when it has succeeded."""

    async def routers(self) -> Sequence[Any]:
        """Give what `get_api_routes` returns."""

    def admin_pages(self) -> Sequence[AdminPage]:
        """Give what `get_admin_pages` returns; a failure is logged, and there are none."""

    async def health(self, timeout: float) -> HealthStatus:
        """Run `health_check`; a failure is an unhealthy status, not an error."""

    def jobs(self) -> Sequence[JobDeclaration]:
        """Give the scheduled jobs that the plugin's class declares.

        Raises:
            JobInvalid: Two of them have one name.
        """

    def call_job(self, job: JobDeclaration, variables: contextvars.Context) -> JobCall:
        """Begin a run of a scheduled job, with these context variables."""

    def metrics(self) -> Mapping[str, float]:
        """Give what `get_metrics` returns."""

    def own_figures(self) -> Mapping[str, float]:
        """Give what the plugin's own `get_metrics` adds to the platform's figures."""

    def info(self) -> Mapping[str, Any]:
        """Give what `get_info` returns."""

    async def dependency_changed(
        self, provider: str, stale: tuple[str, ...], timeout: float
    ) -> None:
        """Run `on_dependency_changed`."""

    async def shutdown(self, timeout: float) -> None:
        """Run `shutdown`."""

    async def close(self) -> None:
        """Let go of the code."""


class Host(Protocol):
    """Loads generations."""

    async def load(
        self, blueprint: Blueprint, context: PluginContext, variables: contextvars.Context
    ) -> HostedPlugin:
        """Import the code and make the plugin.

        Args:
            blueprint: What to load.
            context: The plugin's access to the platform.
            variables: The context variables that its code runs with.

        Raises:
            PluginLoadError: The code cannot be imported, or holds no plugin.
        """

    async def close(self) -> None:
        """Let go of everything that the host holds."""
