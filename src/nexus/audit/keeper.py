"""Writes down what is gathered in memory, and forgets what is old."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from nexus.audit.actor import Actor
from nexus.audit.denials import Denials
from nexus.audit.log import AuditLog
from nexus.errors import NexusError

logger = logging.getLogger(__name__)

_PAUSE: Final = 1.0
"""Seconds between two looks at what was refused."""

_FORGET_EVERY: Final = 3600.0


class AuditKeeper:
    """Looks after the audit log while the application runs.

    Args:
        log: The audit log.
        denials: What plugins were refused.
        retention: Seconds that rows are kept.
    """

    def __init__(self, log: AuditLog, denials: Denials, retention: float) -> None:
        self._log = log
        self._denials = denials
        self._retention = retention
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the table where it is missing, and begin to work."""
        await self._log.open()
        self._task = asyncio.get_running_loop().create_task(self._work(), name="nexus.audit")

    async def stop(self) -> None:
        """End, with everything written down that can be."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        with suppress(NexusError):  # it has been logged where it was refused
            await self.flush(everything=True)

    async def flush(self, *, everything: bool = False) -> None:
        """Write down what was refused.

        Args:
            everything: Also what would wait, since its like was written down a moment ago.

        Raises:
            DatabaseUnavailable: Nothing can be written now; it is kept for the next time.
        """
        taken = self._denials.take(everything=everything)
        while taken:
            kind, gathered = taken[-1]
            try:
                await self._log.write(
                    "permission.deny",
                    plugin=kind.plugin,
                    after=gathered.dict(kind.permission),
                    result="refused",
                    actor=Actor(name=f"plugin:{kind.plugin}"),
                )
            except BaseException:
                self._denials.give_back(taken)
                raise
            taken.pop()

    async def _work(self) -> None:
        forgot = float("-inf")
        while True:
            try:
                if time.monotonic() - forgot > _FORGET_EVERY:
                    await self._log.forget(time.time() - self._retention)
                    forgot = time.monotonic()
                await self.flush()
            except NexusError as error:
                logger.warning("The audit log cannot be written", extra={"reason": str(error)})
            await asyncio.sleep(_PAUSE)
