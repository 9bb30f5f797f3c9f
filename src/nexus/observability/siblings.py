"""What workers that share an address tell each other.

A request reaches whichever of them is free, and what it asks for may be in the memory of another:
what was logged, published or counted there. So each worker answers the others at a Unix socket in a
folder that only their user may enter.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from typing import Any, Final

from nexus.errors import NexusError
from nexus.observability.frames import closing, read_frame, write_frame

logger = logging.getLogger(__name__)

PATIENCE: Final = 1.0
"""Seconds that another worker has to answer: one that is blocked must not block whoever asks."""

_SUFFIX: Final = ".worker"

Params = Mapping[str, Any]
Answer = Callable[[Params], Awaitable[Any]]
"""Gives JSON-ready data."""

Stream = Callable[[Params], AbstractAsyncContextManager[AsyncIterator[Any]]]
"""Gives pieces of JSON-ready data, of which none is missed from when the block has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one worker has said.

    Attributes:
        number: Which of those that share the address it is; empty where there are no others.
        worker: Its name for people.
        value: What it has said.
    """

    number: str
    worker: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What all workers have said.

    Attributes:
        told: Of each that has answered, this one's first.
        silent: The others, their numbers and their names; one that never answered has no name.
    """

    told: Sequence[Told]
    silent: Mapping[str, str]

    @property
    def values(self) -> list[Any]:
        """Give what was said."""
        return [each.value for each in self.told]

    @property
    def workers(self) -> list[str]:
        """Give the names of those who have answered."""
        return [each.worker for each in self.told]


class Siblings:
    """This worker, and those that share its address; one that is alone asks itself.

    Attributes:
        answers: What can be asked for once, by its name.
        streams: What can be followed, by its name.
        number: Which of them this one is; empty where there are no others.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.streams: dict[str, Stream] = {}
        self.number = ""
        self._folder: Path | None = None
        self._names: dict[str, str] = {}
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def label(self) -> str:
        """The name of this worker for people, the one that members of a cluster have."""
        return f"{socket.gethostname()}:{getpid()}"

    @asynccontextmanager
    async def joined(self, folder: Path, number: str) -> AsyncIterator[None]:
        """Be one of several workers, as long as the block lasts.

        Args:
            folder: Where all of them have their sockets.
            number: Which of them this one is.
        """
        place = folder / f"{number}{_SUFFIX}"
        place.unlink(missing_ok=True)  # of a process that was killed
        server = await asyncio.start_unix_server(self._accept, place)
        self._folder, self.number = folder, number
        try:
            yield
        finally:
            self._folder, self.number = None, ""
            server.close()
            serving = dict(self._serving)
            await cancelled(serving)
            for writer in serving.values():
                writer.transport.abort()  # of those that were cancelled before they began
            place.unlink(missing_ok=True)

    def others(self) -> Mapping[str, Path]:
        """Give the sockets of the other workers, by their numbers."""
        if self._folder is None:
            return {}
        places = sorted(self._folder.glob(f"*{_SUFFIX}"))
        return {each.stem: each for each in places if each.stem != self.number}

    async def gather(
        self, name: str, params: Params | None = None, *, patience: float = PATIENCE
    ) -> Gathered:
        """Ask all workers for something.

        Args:
            name: What was put into `answers`.
            params: What is passed to it; JSON-ready.
            patience: Seconds that each other worker has.

        Raises:
            NexusError: This worker cannot answer. Another one that cannot is left out.
        """
        asked = params or {}
        others = self.others()
        loop = asyncio.get_running_loop()
        asking = [
            loop.create_task(
                self._ask(place, name, asked, patience), name=f"nexus.siblings.ask.{number}"
            )
            for number, place in others.items()
        ]
        try:
            own = await self.answers[name](asked)
            found = await asyncio.gather(*asking)
        except BaseException:
            await cancelled(asking)
            raise
        told = [Told(number=self.number, worker=self.label, value=own)]
        silent = {}
        for number, frame in zip(others, found, strict=True):
            if frame is None:
                silent[number] = self._names.get(number, "")
                continue
            self._names[number] = frame["worker"]
            if "value" in frame:
                told.append(Told(number=number, worker=frame["worker"], value=frame["value"]))
        return Gathered(told=told, silent=silent)

    @staticmethod
    async def _ask(
        place: Path, name: str, params: Params, patience: float
    ) -> Mapping[str, Any] | None:
        try:
            async with (
                asyncio.timeout(patience),
                connected(place, "answer", name, params) as reader,
            ):
                found: Mapping[str, Any] = await read_frame(reader)
                return found
        except (OSError, EOFError, TimeoutError):
            return None

    # Being asked

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(
            self._serve(reader, writer), name="nexus.siblings.serve"
        )
        self._serving[task] = writer
        task.add_done_callback(self._served)

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._serving.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("Another worker could not be answered", exc_info=error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):  # whoever has asked has gone
            async with closing(writer):
                asked = await read_frame(reader)
                if asked["kind"] == "answer":
                    await write_frame(writer, await self._answer(asked))
                else:
                    await self._pass_on(asked, reader, writer)

    async def _answer(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            value = await self.answers[asked["name"]](asked["params"])
        except NexusError:  # it has no such plugin, say: others may
            return {"worker": self.label}
        return {"worker": self.label, "value": value}

    async def _pass_on(
        self,
        asked: Mapping[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send the pieces of a stream until it ends, or nobody reads it any longer."""

        async def send() -> None:
            try:
                async with self.streams[asked["name"]](asked["params"]) as pieces:
                    await write_frame(writer, {"worker": self.label})
                    async for each in pieces:
                        await write_frame(writer, each)
            except (OSError, NexusError):  # they have gone, or there is nothing to follow here
                return

        loop = asyncio.get_running_loop()
        tasks = {
            loop.create_task(send(), name="nexus.siblings.send"),
            loop.create_task(reader.read(1), name="nexus.siblings.gone"),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(tasks)


async def cancelled(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel tasks, and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def connected(
    place: Path, kind: str, name: str, params: Params
) -> AsyncIterator[asyncio.StreamReader]:
    """Ask another worker; it sends frames, of which the first one has its name as `worker`.

    Args:
        place: Its socket.
        kind: `answer` or `stream`.
        name: What is asked for.
        params: What is passed to it.

    Raises:
        OSError: It does not answer.
    """
    reader, writer = await asyncio.open_unix_connection(place)
    async with closing(writer):
        await write_frame(writer, {"kind": kind, "name": name, "params": dict(params)})
        yield reader
