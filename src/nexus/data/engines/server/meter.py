"""Counts the queries of a database, and logs those that were slow."""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

_SHOWN: Final = 1000


class QueryMeter:
    """Keeps count; a statement is logged without its parameters, which may be secret.

    Args:
        slow: Seconds from which a query is slow.

    Attributes:
        queries: How many there were.
        failed: How many of them failed.
        slow_queries: How many of them were slow.
    """

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self.queries = 0
        self.failed = 0
        self.slow_queries = 0

    def count(self, statement: str, began: float, *, failed: bool = False) -> None:
        """Count a query that began at a time of `time.perf_counter` and has ended now."""
        self.queries += 1
        self.failed += failed
        seconds = time.perf_counter() - began
        if seconds >= self._slow:
            self.slow_queries += 1
            logger.warning(
                "A query was slow",
                extra={"seconds": round(seconds, 3), "statement": statement[:_SHOWN]},
            )
