"""Calling a handler, whether it is a coroutine function or a plain one.

A plain function may block, and then it would stop every other plugin if it ran on the event loop.
So each call gets a thread: one of its own, a daemon, for pools have a size, and a handful of
hanging handlers would use it up, and the process could not exit while they hang. A thread costs
about as much as ten coroutine deliveries; use `async def` where that counts.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Protocol

from nexus.events.event import Event

Handler = Callable[[Event], Any]
"""Takes the event; what it returns is the reply where the event is a request."""

AsyncHandler = Callable[[Event], Awaitable[Any]]


class ThreadOwner(Protocol):
    """Who wants to know of calls that nobody waits for any longer."""

    def thread_left_behind(self) -> None:
        """Note that a call was given up, and goes on."""

    def thread_returned(self) -> None:
        """Note that such a call has ended."""


def is_async(handler: Handler) -> bool:
    """Say whether calling the handler gives a coroutine, as far as one can see from outside."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - its kind is asked for, not its presence
    )


class ThreadedHandler:
    """A plain handler in the shape of a coroutine function."""

    __slots__ = ("_handler", "_owner")

    def __init__(self, handler: Handler, owner: ThreadOwner) -> None:
        self._handler = handler
        self._owner = owner

    async def __call__(self, event: Event) -> Any:
        """Run the handler in a thread and wait for it.

        When the wait is cancelled the thread goes on, and its owner is told now and when it ends.
        """
        call = _Call(self._handler, event, self._owner)
        threading.Thread(target=call.run, name=f"nexus-event-{event.name}", daemon=True).start()
        result = await call.outcome()
        # A plain function around a coroutine function gives a coroutine after all.
        return await result if inspect.isawaitable(result) else result


class _Call:
    """One call in a thread."""

    __slots__ = ("_context", "_done", "_event", "_handler", "_loop", "_owner")

    def __init__(self, handler: Handler, event: Event, owner: ThreadOwner) -> None:
        self._handler = handler
        self._event = event
        self._owner = owner
        self._context = copy_context()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[tuple[Any, BaseException | None]] = self._loop.create_future()

    def run(self) -> None:
        """Call the handler; runs in the thread."""
        result, error = None, None
        try:
            result = self._context.run(self._handler, self._event)
        except BaseException as raised:  # noqa: BLE001 - the border of a plugin's code
            error = raised
        try:
            self._loop.call_soon_threadsafe(self._report, result, error)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    async def outcome(self) -> Any:
        """Give what the handler returned, or raise what it raised."""
        try:
            result, error = await self._done
        except asyncio.CancelledError:
            if self._done.cancelled():
                self._owner.thread_left_behind()
            raise
        if error is not None:
            raise error
        return result

    def _report(self, result: Any, error: BaseException | None) -> None:
        if self._done.cancelled():
            self._owner.thread_returned()
        else:
            self._done.set_result((result, error))
