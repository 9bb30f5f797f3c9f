"""Notices that a server hangs, or that a statement outstays its limit.

A server that is stopped, or behind a network that swallows packets, says nothing: the driver would
wait for it for as long as a statement may take. So when an answer is overdue, another connection
is tried; if nobody answers that one either, everything that waits is cut off.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic

from nexus.data.engines.server.pool import C, ConnectionPool

logger = logging.getLogger(__name__)

_SHARE: Final = 0.4
"""The share of a caller's patience after which the server is asked for a sign of life, and which
the server has for it; the rest is for the watch's own steps."""

_GRACE: Final = 1.0
"""Seconds that the server has to notice its own limit on a statement."""


class ServerWatch(Generic[C]):
    """Looks after the connections that a pool has lent.

    Args:
        pool: The pool.
        is_alive: Tells whether the server answers somebody who is new.
        patience: Seconds within which callers must hear that the server hangs.
        limit: Seconds that a statement may take.
    """

    def __init__(
        self,
        pool: ConnectionPool[C],
        is_alive: Callable[[], Awaitable[bool]],
        *,
        patience: float,
        limit: float,
    ) -> None:
        self._pool = pool
        self._is_alive = is_alive
        self._doubt = patience * _SHARE
        self._limit = limit + _GRACE
        self._period = max(0.02, min(1.0, patience / 10, limit / 4))
        self._timer: asyncio.TimerHandle | None = None
        self._question: asyncio.Task[None] | None = None
        self._answered = 0.0

    def start(self) -> None:
        """Begin to look, from the running event loop."""
        self._timer = asyncio.get_running_loop().call_later(self._period, self._look)

    async def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait({self._question})

    def _look(self) -> None:
        now = time.perf_counter()
        in_doubt = False
        for connection in tuple(self._pool.lent):
            if not connection.busy_since:
                continue
            seconds = now - connection.busy_since
            if seconds > self._limit and not connection.is_patient:
                logger.warning("A query took too long and was cut off")
                connection.terminate()
            elif seconds > self._doubt and now - self._answered > self._doubt:
                in_doubt = True
        if in_doubt and (self._question is None or self._question.done()):
            self._question = asyncio.get_running_loop().create_task(
                self._ask(now), name="nexus.database.watch"
            )
        self.start()

    async def _ask(self, now: float) -> None:
        answered = False
        try:
            async with asyncio.timeout(self._doubt):
                answered = await self._is_alive()
        except TimeoutError:
            pass  # no answer is the answer
        if answered:
            self._answered = time.perf_counter()
            return
        logger.warning("The database server does not answer; what waits for it is cut off")
        for connection in tuple(self._pool.lent):
            if connection.busy_since and connection.busy_since <= now:
                connection.terminate()
        self._pool.drop_idle()
