"""Stops what a server still does for connections that are gone.

MariaDB notices that a client has left when it wants to send it something, so a statement that was
given up would go on, with its locks, and be committed in the end. PostgreSQL has a protocol for
that; here another connection has to say KILL.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from nexus.data.engines.mariadb.errors import TROUBLES
from nexus.data.engines.mariadb.raw import RawConnection
from nexus.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

_PAUSE: Final = 0.05
"""Seconds for short statements to end by themselves, and for more threads to come together."""
_PATIENCE: Final = 5.0
_LISTED: Final = "SELECT id, host FROM information_schema.processlist WHERE id IN ({})"


class ThreadKiller:
    """Kills the threads of one database's connections, several with one connection.

    Args:
        connect: Makes a connection for it.
    """

    def __init__(self, connect: Callable[[], Awaitable[RawConnection]]) -> None:
        self._connect = connect
        self._threads: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    def kill(self, thread: int, port: int) -> None:
        """Have the server's thread of a connection killed that had this port on our side."""
        self._threads[thread] = port
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(
                self._work(), name="nexus.database.kill"
            )

    async def close(self) -> None:
        """Finish what was asked for, unless the server is too slow for it."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_PATIENCE / 5)
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _work(self) -> None:
        while self._threads:
            await asyncio.sleep(_PAUSE)
            threads, self._threads = self._threads, {}
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._kill(threads)
            except (*TROUBLES, DatabaseUnavailable):
                logger.warning(
                    "Statements that were given up may go on at the server",
                    extra={"threads": sorted(threads)},
                )

    async def _kill(self, threads: dict[int, int]) -> None:
        raw = await self._connect()
        try:
            await raw.query(_LISTED.format(",".join(map(str, threads))))
            for thread, host in raw.result.rows or ():
                # Behind a balancer, or after a restart, the number may be somebody else's by now.
                port = str(host).rpartition(":")[2]
                if port == str(threads[thread]) or not threads[thread]:
                    with suppress(*TROUBLES):  # it may have ended meanwhile
                        await raw.query(f"KILL {int(thread)}")
        finally:
            raw.abort()
