"""Nexus composes a FastAPI application of plugins.

The names below are loaded on first use, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names
from nexus._version import __version__

if TYPE_CHECKING:
    from nexus.app import NexusApp, create_nexus_app
    from nexus.plugins import BasePlugin

__all__ = ["BasePlugin", "NexusApp", "__version__", "create_nexus_app"]

_HOMES = {"BasePlugin": "nexus.plugins", "NexusApp": "nexus.app", "create_nexus_app": "nexus.app"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
