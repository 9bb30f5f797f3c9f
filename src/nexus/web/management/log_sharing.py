"""What a plugin logs in all workers that share the address."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from heapq import merge
from typing import Any, Final

from nexus.events.event import Event
from nexus.observability.following import Following
from nexus.observability.log_feed import LogFeed
from nexus.observability.log_rings import LogLine
from nexus.observability.siblings import Gathered, Params
from nexus.web.management.context import ManagementContext

_LINES: Final = "logs"
_STOPPING: Final = "system.stopping"
"""After it a stream ends: a server waits for open connections when it stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of any worker.

    Attributes:
        worker: Who has written it.
        number: Counts the lines of that worker.
        fields: The line as it is logged, with its number as `id`, and its `worker`.
    """

    worker: str
    number: int
    fields: dict[str, Any]

    @classmethod
    def of(cls, worker: str, piece: Sequence[Any]) -> "Line":
        """Make it from what a worker has said."""
        number, fields = piece
        # What the plugin itself has put into the line stays, whatever it is called.
        return cls(worker=worker, number=number, fields={"worker": worker, **fields})

    @property
    def time(self) -> str:
        """When it was written; texts in the order of time."""
        return str(self.fields.get("timestamp", ""))


def share_logs(context: ManagementContext) -> None:
    """Have the workers tell each other what their plugins log."""
    rings = context.logs.rings

    async def lines(params: Params) -> list[Any]:
        found = rings.recent(params["plugin"], level=params["level"], limit=params["limit"])
        return [_piece(each) for each in found]

    @asynccontextmanager
    async def watched(params: Params) -> AsyncIterator[AsyncIterator[Any]]:
        feed = LogFeed(params["level"])

        def stop(event: Event) -> None:
            if event.name == _STOPPING:
                feed.end()

        context.bus.watch(stop)
        try:
            with rings.followed(params["plugin"], feed.offer):
                yield _pieces(feed)
        finally:
            context.bus.unwatch(stop)

    context.siblings.answers[_LINES] = lines
    context.siblings.streams[_LINES] = watched


async def last_lines(
    context: ManagementContext, plugin: str, *, level: int, limit: int
) -> tuple[Gathered, list[Line]]:
    """Give who has answered, and the last lines of all together, oldest first."""
    params = {"plugin": plugin, "level": level, "limit": limit}
    found = await context.siblings.gather(_LINES, params)
    # Each worker's own lines stay in their order, whatever the clock was set to meanwhile.
    lines = [[Line.of(each.worker, piece) for piece in each.value] for each in found.told]
    together = list(merge(*lines, key=lambda line: line.time))
    return found, together[-limit:] if limit else []


def following_lines(context: ManagementContext, plugin: str, *, level: int) -> Following:
    """Follow what a plugin logs; the pieces are those of `Line.of`, or how many were dropped."""
    return Following(context.siblings, _LINES, {"plugin": plugin, "level": level})


async def _pieces(feed: LogFeed) -> AsyncIterator[Any]:
    while True:
        fed = await feed.take()
        if fed.dropped:
            yield fed.dropped
        if fed.line is None:
            return
        yield _piece(fed.line)


def _piece(line: LogLine) -> list[Any]:
    return [line.number, line.fields()]
