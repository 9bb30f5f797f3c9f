"""A start without the plugins that do not come with the platform."""

import logging
from pathlib import Path
from typing import Final

from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.state import PluginState
from nexus.plugins.verdict import Verdict

logger = logging.getLogger(__name__)

_BUILTIN: Final = Path(__file__).resolve().parents[1] / "builtin"

ASKED_FOR: Final = "It was asked for, by --safe-mode or the setting startup.safe_mode."


class SafeMode:
    """Keeps plugins from starting while it is on.

    They stay enabled, so that events are kept for them and nothing has to be set back afterwards.

    Args:
        reason: Why it is on, as a sentence; empty when it is off.

    Attributes:
        reason: As given, or as `begin` has said.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def begin(self, reason: str) -> None:
        """Turn it on, before the application starts."""
        self.reason = self.reason or reason

    @property
    def words(self) -> str:
        """Say that it is on, why, and how to get out; empty when it is off."""
        if not self.reason:
            return ""
        return (
            f"Safe mode: only plugins that come with Nexus start. {self.reason} Mend or disable"
            " ('nexus plugin disable NAME') what is broken, then stop the application and start it"
            " without safe mode."
        )

    def tell(self) -> None:
        """Log that it is on."""
        if self.reason:
            logger.warning(self.words)

    def verdict(self, found: DiscoveredPlugin) -> Verdict | None:
        """Give why a plugin does not run; None when it may."""
        if not self.reason or found.folder.resolve().is_relative_to(_BUILTIN):
            return None
        reason = "The application runs in safe mode; it starts when that is over."
        return Verdict(state=PluginState.BLOCKED, reason=reason)
