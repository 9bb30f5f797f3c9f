"""What the management API tells of the application as a whole."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nexus._version import __version__
from nexus.data.database import Database
from nexus.plugins.safe_mode import SafeMode

if TYPE_CHECKING:
    from nexus.config import Settings


class SystemReport:
    """Gives versions, settings and figures, secrets masked.

    Args:
        settings: The application's settings.
        database: Its database.
        is_ready: Tells whether every plugin has settled since the start.
        maintenance: Gives the maintenance message, None when there is no maintenance.
        safe_mode: Keeps plugins from starting while it is on.
    """

    def __init__(
        self,
        settings: "Settings",
        database: Database,
        is_ready: Callable[[], bool],
        maintenance: Callable[[], str | None],
        safe_mode: SafeMode,
    ) -> None:
        self._settings = settings
        self._database = database
        self._is_ready = is_ready
        self._maintenance = maintenance
        self._safe_mode = safe_mode
        self._made_at = time.monotonic()

    def __call__(self) -> Mapping[str, Any]:
        """Give the report as JSON-ready data; `uptime` is in seconds."""
        settings = self._settings
        return {
            "name": settings.name,
            "version": __version__,
            "python": platform.python_version(),
            "environment": settings.environment,
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._made_at,
            "ready": self._is_ready(),
            "maintenance": self._maintenance(),
            "safe_mode": self._safe_mode.reason or None,
            "folder": str(settings.root),
            "data_folder": str(settings.data_folder),
            "database": {
                "engine": self._database.engine,
                "path": self._database.location,
                **self._database.figures(),
            },
            "settings": settings.shown(),
            "sources": settings.sources(),
        }
