"""Something that goes on in all workers that share an address, as one stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from nexus.observability.frames import read_frame
from nexus.observability.siblings import PATIENCE, Params, Siblings, cancelled, connected

_LOOK: Final = 1.0
"""Seconds between two looks for workers that have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The next piece of a stream.

    Attributes:
        worker: Who has said it; empty where the piece only tells that workers came or went.
        value: What it has said.
    """

    worker: str
    value: Any = None


_CHANGE: Final = Heard(worker="")


class Following:
    """Follows a stream in this worker and in all others, as they come and go.

    A worker that goes is only heard no longer; the end of this one's own stream is the end of all.
    Whoever does not keep up holds the streams up, which then leave out what they must.

    Args:
        siblings: The workers.
        name: What was put into their `streams`.
        params: What is passed to it; JSON-ready.
    """

    def __init__(self, siblings: Siblings, name: str, params: Params) -> None:
        self._siblings = siblings
        self._name = name
        self._params = params
        self._heard: asyncio.Queue[Heard | None] = asyncio.Queue(maxsize=1)
        self._stack = AsyncExitStack()
        self._workers: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._own: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin; those that are there are listened to when the block begins.

        Raises:
            NexusError: There is no such stream here.
        """
        try:
            await self._enter()
        except BaseException:
            await self._leave()
            raise
        return self

    async def _enter(self) -> None:
        siblings = self._siblings
        self._workers[siblings.number] = siblings.label
        pieces = await self._stack.enter_async_context(siblings.streams[self._name](self._params))
        begun = [self._begin(number, place) for number, place in siblings.others().items()]
        if begun:
            await asyncio.wait(begun, timeout=PATIENCE)
        loop = asyncio.get_running_loop()
        self._own = [
            loop.create_task(self._pass_on(pieces), name="nexus.following.own"),
            loop.create_task(self._look(), name="nexus.following.look"),
        ]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no longer."""
        await self._leave()

    async def _leave(self) -> None:
        await cancelled([*self._own, *self._tasks.values()])
        await self._stack.aclose()

    @property
    def workers(self) -> list[str]:
        """Give the names of the workers that are listened to."""
        return sorted(self._workers.values())

    async def take(self) -> Heard | None:
        """Wait for the next piece; None at the end."""
        return await self._heard.get()

    async def _pass_on(self, pieces: AsyncIterator[Any]) -> None:
        label = self._siblings.label
        async for each in pieces:
            await self._heard.put(Heard(worker=label, value=each))
        await self._heard.put(None)

    async def _look(self) -> None:
        """Listen to workers that come, or have come back."""
        while True:
            await asyncio.sleep(_LOOK)
            for number, place in self._siblings.others().items():
                if number not in self._tasks or self._tasks[number].done():
                    self._begin(number, place)

    def _begin(self, number: str, place: Path) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[None] = loop.create_future()
        self._tasks[number] = loop.create_task(
            self._listen(number, place, begun), name=f"nexus.following.{number}"
        )
        return begun

    async def _listen(self, number: str, place: Path, begun: "asyncio.Future[None]") -> None:
        try:
            await self._hear(number, place, begun)
        except (OSError, EOFError):  # it is not there, or has gone
            if not begun.done():
                begun.set_result(None)
        if self._workers.pop(number, None) is not None:
            await self._heard.put(_CHANGE)

    async def _hear(self, number: str, place: Path, begun: "asyncio.Future[None]") -> None:
        async with connected(place, "stream", self._name, self._params) as reader:
            worker = (await read_frame(reader))["worker"]
            self._workers[number] = worker
            if not begun.done():
                begun.set_result(None)
            if self._own:  # those that were there from the beginning are no news
                await self._heard.put(_CHANGE)
            while True:
                await self._heard.put(Heard(worker=worker, value=await read_frame(reader)))
