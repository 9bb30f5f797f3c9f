"""The readings that are kept, and what they come to."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from statistics import fmean

from sqlalchemy import delete, func, select

from nexus.plugins import BasePlugin
from plugins.weather_station.models import Aggregate, Reading, Spread
from plugins.weather_station.schemas.models import StoredReading

_NEWEST_FIRST = (StoredReading.at.desc(), StoredReading.id.desc())


class History:
    """Keeps the newest readings in a table, so that they survive a restart.

    Args:
        plugin: Whose readings they are.
    """

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def newest(self, limit: int | None = None) -> list[Reading]:
        """Give the newest readings, the oldest of them first; all that are kept without a limit."""
        wanted = select(StoredReading).order_by(*_NEWEST_FIRST).limit(limit)
        async with self._plugin.db.session(read_only=True) as session:
            found = (await session.scalars(wanted)).all()
        return [each.reading() for each in reversed(found)]

    async def latest(self) -> Reading | None:
        """Give the newest reading, None when there is none yet."""
        return next(iter(await self.newest(1)), None)

    async def size(self) -> int:
        """Give how many readings are kept."""
        async with self._plugin.db.session(read_only=True) as session:
            return await session.scalar(select(func.count()).select_from(StoredReading)) or 0

    async def keep(self, reading: Reading, limit: int) -> None:
        """Store a reading, and let the oldest go where there are more than may be."""
        async with self._plugin.db.session() as session:
            session.add(StoredReading.of(reading))
            await session.flush()
            beyond = select(StoredReading.id).order_by(*_NEWEST_FIRST).offset(limit)
            gone = (await session.scalars(beyond)).all()
            if gone:
                await session.execute(delete(StoredReading).where(StoredReading.id.in_(gone)))


def aggregate(readings: Iterable[Reading], window: int) -> list[Aggregate]:
    """Put readings together by windows of time.

    Args:
        readings: The oldest first.
        window: A window's length in seconds; windows start at multiples of it since 1970.

    Returns:
        The windows that have readings, the oldest first.
    """

    def start_of(reading: Reading) -> int:
        return int(reading.at.timestamp() // window) * window

    return [_together(start, window, list(group)) for start, group in groupby(readings, start_of)]


def spread(values: Sequence[float]) -> Spread:
    """Give the least, the greatest and the mean value; there has to be one at least."""
    return Spread(min=min(values), max=max(values), mean=round(fmean(values), 2))


def _together(start: int, window: int, readings: Sequence[Reading]) -> Aggregate:
    return Aggregate(
        start=datetime.fromtimestamp(start, UTC),
        end=datetime.fromtimestamp(start + window, UTC),
        count=len(readings),
        temperature=spread([each.temperature for each in readings]),
        humidity=spread([each.humidity for each in readings]),
    )
