"""Ends tasks, also those in which a library has swallowed the cancellation."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_PATIENCE: Final = 0.5


async def end(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel tasks, and once more where one goes on, until all have ended."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_PATIENCE)
