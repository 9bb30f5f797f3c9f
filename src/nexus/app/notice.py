"""Tells load balancers that this process is going to stop, while it serves on."""

import asyncio


class Notice:
    """The time between the wish to stop and the stop.

    Args:
        seconds: How long it is.

    Attributes:
        is_given: Whether the process has been told to stop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_given = False

    async def give(self) -> None:
        """Be unready from now on; returns when it is time to stop."""
        self.is_given = True
        if self._seconds:
            await asyncio.sleep(self._seconds)
