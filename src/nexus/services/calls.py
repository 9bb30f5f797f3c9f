"""The calls of a service that are in hand, so that its provider does not end under them."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


class CallsInHand:
    """Counts the asynchronous calls of one offered service, on one event loop."""

    __slots__ = ("_count", "_idle")

    def __init__(self) -> None:
        self._count = 0
        self._idle: asyncio.Event | None = None

    def __len__(self) -> int:
        return self._count

    def counted(self, attribute: Any) -> Any:
        """Give an attribute of the service, each of whose calls is counted if it is awaited.

        What is no `async def` comes back as it is: it ends before anything else can happen.
        """
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        call: Callable[..., Any] = attribute

        async def counting(*arguments: Any, **named: Any) -> Any:
            self._count += 1
            try:
                return await call(*arguments, **named)
            finally:
                self._count -= 1
                if self._idle is not None and not self._count:
                    self._idle.set()

        # What functools.wraps does costs more than the call itself.
        counting.__name__ = getattr(call, "__name__", counting.__name__)
        counting.__wrapped__ = call  # type: ignore[attr-defined]  # where inspect looks
        return counting

    async def drained(self, timeout: float) -> int:
        """Wait until no call is in hand, at most `timeout` seconds.

        Returns:
            How many calls still go on.
        """
        if self._count:
            self._idle = asyncio.Event()
            try:
                async with asyncio.timeout(timeout):
                    await self._idle.wait()
            except TimeoutError:
                pass
            finally:
                self._idle = None
        return self._count
