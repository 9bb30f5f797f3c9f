"""One answer to a scrape for all processes that share an address.

A scrape of workers that share a socket reaches whichever is free, and counters of another process
each time are no counters. So each worker offers its own figures at a Unix socket in a folder of
theirs, and the one that is asked puts all of them together, each with the label `worker`.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

PATIENCE: Final = 2.0
"""Seconds that another worker has to give its figures; a blocked one must not block the scrape."""

UP: Final = "nexus_worker_up"
_UP_HEADER: Final = f"# HELP {UP} 1 while the worker gives its figures.\n# TYPE {UP} gauge\n"

_SUFFIX: Final = ".metrics"
_find_name = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").match

Own = Callable[[], Awaitable[str]]


class WorkerScrapes:
    """Puts the figures of all workers together; of a process that is alone it gives its own.

    Attributes:
        own: Gives this process's exposition text.
    """

    def __init__(self) -> None:
        self.own: Own = _nothing
        self._folder: Path | None = None
        self._worker = ""
        self._answering: set[asyncio.Task[None]] = set()

    async def text(self) -> str:
        """Give the exposition text of all workers."""
        if self._folder is None:
            return await self.own()
        texts = await self._texts(self._folder)
        return merged({worker: text for worker, text in texts.items() if text is not None}) + (
            _UP_HEADER
            + "".join(
                f'{UP}{{worker="{worker}"}} {0.0 if text is None else 1.0}\n'
                for worker, text in sorted(texts.items())
            )
        )

    @asynccontextmanager
    async def joined(self, folder: Path, worker: str) -> AsyncIterator[None]:
        """Be one of several workers, as long as the block lasts.

        Args:
            folder: Where all of them have their sockets.
            worker: What this one is called.
        """
        place = folder / f"{worker}{_SUFFIX}"
        place.unlink(missing_ok=True)  # of a process that was killed
        server = await asyncio.start_unix_server(self._answer, place)
        self._folder, self._worker = folder, worker
        try:
            yield
        finally:
            self._folder = None
            server.close()
            for task in self._answering:
                task.cancel()
            await asyncio.gather(*self._answering, return_exceptions=True)
            place.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        try:
            with contextlib.suppress(OSError):  # whoever has asked has gone
                writer.write((await self.own()).encode())
                await writer.drain()
        finally:
            writer.close()

    async def _texts(self, folder: Path) -> Mapping[str, str | None]:
        names = sorted(each.stem for each in folder.glob(f"*{_SUFFIX}"))
        others = [each for each in names if each != self._worker]
        found = await asyncio.gather(
            self.own(), *(_ask(folder / f"{each}{_SUFFIX}") for each in others)
        )
        return dict(zip([self._worker, *others], found, strict=True))


def merged(texts: Mapping[str, str]) -> str:
    """Put expositions together by family, with the label `worker` in each sample."""
    families: dict[str, list[str]] = {}
    for worker, text in sorted(texts.items()):
        samples: list[str] = []
        is_new = True
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                is_new = name not in families
                samples = families.setdefault(name, [])
            if not line.startswith("#"):
                samples.append(_labelled(line, worker))
            elif is_new:
                samples.append(line)
    return "".join(f"{line}\n" for lines in families.values() for line in lines)


def _labelled(line: str, worker: str) -> str:
    found = _find_name(line)
    if found is None:
        return line
    name, rest = found[0], line[found.end() :]
    label = f'worker="{worker}"'
    return f"{name}{{{label},{rest[1:]}" if rest.startswith("{") else f"{name}{{{label}}}{rest}"


async def _ask(place: Path) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(place)
            try:
                return (await reader.read()).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None


async def _nothing() -> str:
    return ""
