"""What takes part in the race of durable events, and how its time is taken."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.contenders.worker import Worker
from benchmarks.durable import PUBLISHERS, data_of

PATIENCE = 120.0
"""Seconds after which a round is given up."""
LOOK = 0.002
"""Seconds between two looks at what has been handled; both sides pay them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What an event took, in seconds.

    Attributes:
        wall: From the first publication until the last acknowledgment, divided by the events.
        cpu: Of all processes of the contender without the engine's server, divided likewise.
    """

    wall: float
    cpu: float


class Contender(Protocol):
    """Publishes events, and has them handled and acknowledged."""

    worker: Worker | None
    """The process that handles, None where that is this one."""

    async def publish(self, count: int) -> None:
        """Publish events from 32 publishers, each of which waits until its event is kept."""

    async def is_settled(self) -> bool:
        """Tell whether the engine knows nothing that is not acknowledged."""


class Handled:
    """A file that has one byte for each event that was handled.

    An event costs one system call, the same for everybody, and processes can be looked at from
    outside.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR)

    def mark(self) -> None:
        os.write(self._file, b".")

    def count(self) -> int:
        return os.fstat(self._file).st_size

    def clear(self) -> None:
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        os.close(self._file)


async def at_once(count: int, publish: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
    """Publish events one after another by each of the publishers."""

    async def one(first: int) -> None:
        for number in range(first, count, PUBLISHERS):
            await publish(data_of(number))

    await asyncio.gather(*(one(first) for first in range(PUBLISHERS)))


async def measure(contender: Contender, handled: Handled, count: int) -> Spent:
    """Take the time of so many events.

    Raises:
        TimeoutError: They were not handled and acknowledged in time.
    """
    handled.clear()
    worker = contender.worker
    before = time.process_time() + (worker.cpu() if worker else 0.0)
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        await contender.publish(count)
        while handled.count() < count or not await contender.is_settled():
            if worker:
                worker.check()
            await asyncio.sleep(LOOK)
    wall = time.perf_counter() - began
    cpu = time.process_time() + (worker.cpu() if worker else 0.0) - before
    return Spent(wall=wall / count, cpu=cpu / count)
