"""The readings that are kept, and what they come to."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from statistics import fmean
from typing import Any

from nexus.plugins import BasePlugin
from plugins.weather_station.models import Aggregate, Reading, Spread

_KEY = "history"


class History:
    """Keeps the newest readings in the plugin's data, so that they survive a restart.

    Args:
        plugin: Whose data it is.
    """

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def readings(self) -> list[Reading]:
        """Give what is kept, the oldest first."""
        rows: list[list[Any]] = await self._plugin.get_data(_KEY, [])
        return [
            Reading(at=datetime.fromtimestamp(at, UTC), temperature=temperature, humidity=humidity)
            for at, temperature, humidity in rows
        ]

    async def keep(self, readings: Sequence[Reading]) -> None:
        """Store the readings in place of what was kept."""
        rows = [[each.at.timestamp(), each.temperature, each.humidity] for each in readings]
        await self._plugin.set_data(_KEY, rows)


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
