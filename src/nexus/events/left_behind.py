"""Handlers that overran their time and still run."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.events.worker import Worker

logger = logging.getLogger(__name__)


class LeftBehind:
    """What one subscription cannot stop: coroutines that ignore cancellation, and threads.

    Args:
        limit: From how many on the subscription pauses until one of them ends.

    Attributes:
        workers: The workers whose handlers do not end.
        threads: How many threads of plain handlers still run.
    """

    __slots__ = ("_limit", "threads", "workers")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.workers: set[Worker] = set()
        self.threads = 0

    def __len__(self) -> int:
        return len(self.workers) + self.threads

    @property
    def too_many(self) -> bool:
        """Whether no more handlers may be started."""
        return len(self) >= self._limit

    def log(self, owner: str, pattern: str) -> None:
        """Tell an operator of one more."""
        logger.error(
            "event subscription paused until a handler ends"
            if self.too_many
            else "event handler does not end and was left behind",
            extra={"plugin": owner, "pattern": pattern, "left_behind": len(self)},
        )
