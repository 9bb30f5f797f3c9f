"""What plugins have logged, and how much they log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nexus.observability.log_rings import LogRings
from nexus.plugins.log_levels import LogLevels


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginLogs:
    """The logs of all plugins in this process.

    Attributes:
        rings: The last lines of each plugin.
        levels: How much each plugin logs.
    """

    rings: LogRings
    levels: LogLevels

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep lines, and go by the stored levels, as long as the block lasts."""
        with self.rings.attached():
            await self.levels.open()
            try:
                yield
            finally:
                self.levels.close()
