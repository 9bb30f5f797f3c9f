"""Requests that plugins make to the application that they are part of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Scope

from nexus.errors import CallInTransaction
from nexus.observability.request_id import current_request_id
from nexus.plugins.caller import OpenAnswer, OwnCall

_WHO: Final = frozenset(
    {b"authorization", b"cookie", b"x-api-key", b"x-csrf-token", b"origin", b"host", b"user-agent"}
)
"""The headers that say who sends a request, and from what page."""

_WAITING: Final = 16
"""So many parts of an answer wait until the plugin takes them."""


class OwnCalls:
    """Serves them as if they had come from the caller, with nothing more and nothing less.

    What serves a request runs in a task and in context variables of its own: what the platform
    does for it is not the plugin's doing, and takes no part in a transaction of the plugin's.

    Args:
        serve: Gives what serves all paths, behind the layers that the caller has passed already.
        in_transaction: Tells whether whoever calls it is in a transaction of the database.
    """

    def __init__(self, serve: Callable[[], ASGIApp], in_transaction: Callable[[], bool]) -> None:
        self._serve = serve
        self._in_transaction = in_transaction

    @asynccontextmanager
    async def open(self, call: OwnCall) -> AsyncIterator[OpenAnswer]:
        """Make a request; see `OwnInterface`.

        Raises:
            CallInTransaction: What serves it might wait for the end of the caller's transaction.
        """
        if self._in_transaction():
            raise CallInTransaction(method=call.method, path=call.path)
        parts: asyncio.Queue[Message] = asyncio.Queue(_WAITING)
        context = Context()
        context.run(current_request_id.set, current_request_id.get())
        task = asyncio.get_running_loop().create_task(
            _served(self._serve(), call, parts), name="nexus.own_call", context=context
        )
        try:
            start = await _next(parts, task)
            yield OpenAnswer(
                status=start["status"],
                headers=tuple(
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in start.get("headers", ())
                ),
                chunks=_chunks(parts, task),
            )
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()


async def _served(app: ASGIApp, call: OwnCall, parts: "asyncio.Queue[Message]") -> None:
    has_been_read = False

    async def receive() -> Message:
        nonlocal has_been_read
        if has_been_read:
            await asyncio.Event().wait()  # the caller is there as long as this task is
        has_been_read = True
        return {"type": "http.request", "body": call.body, "more_body": False}

    await app(_scope(call), receive, parts.put)


def _scope(call: OwnCall) -> Scope:
    caller = call.scope
    root: str = caller.get("app_root_path", caller.get("root_path", ""))
    path = root + call.path
    given = {name.lower().encode("latin-1"): value for name, value in call.headers.items()}
    headers = [
        (name, value) for name, value in caller["headers"] if name in _WHO and name not in given
    ]
    headers += [(name, value.encode("latin-1")) for name, value in given.items()]
    headers.append((b"content-length", str(len(call.body)).encode()))
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": caller.get("asgi", {"version": "3.0"}),
        "http_version": "1.1",
        "method": call.method,
        "scheme": caller.get("scheme", "http"),
        "path": path,
        "raw_path": quote(path, safe="/~!$&'()*+,;=:@").encode(),
        "query_string": call.query.encode("latin-1"),
        "root_path": root,
        "headers": headers,
        "client": caller.get("client"),
        "server": caller.get("server"),
        "app": caller["app"],
        "state": {},
    }
    return scope


async def _next(parts: "asyncio.Queue[Message]", task: "asyncio.Task[None]") -> Message:
    """Give the next part of an answer.

    Raises:
        Exception: What has ended it instead.
    """
    if not parts.empty():
        return parts.get_nowait()
    waiting = asyncio.ensure_future(parts.get())
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        if not parts.empty():
            return parts.get_nowait()
    finally:
        waiting.cancel()
    task.result()
    message = "The application did not answer."
    raise RuntimeError(message)


async def _chunks(
    parts: "asyncio.Queue[Message]", task: "asyncio.Task[None]"
) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await _next(parts, task)
        more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield bytes(body)
