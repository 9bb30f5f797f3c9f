"""A simulated sensor."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from plugins.weather_station.models import Reading

_MEAN_TEMPERATURE = 17.0
_MEAN_HUMIDITY = 55.0
_PULL = 0.03
"""How much of the way back to the mean each step goes."""


def _now() -> datetime:
    return datetime.now(UTC)


class Sensor:
    """A random walk around a mild day.

    Args:
        seed: The same seed gives the same walk.
        clock: Gives the time of a reading.
    """

    def __init__(self, seed: int, clock: Callable[[], datetime] = _now) -> None:
        self._random = Random(seed)  # noqa: S311 - weather, not cryptography
        self._clock = clock

    def read(self, previous: Reading | None) -> Reading:
        """Measure.

        Args:
            previous: The reading before, from which the weather goes on; None at the very start.
        """
        temperature = _MEAN_TEMPERATURE if previous is None else previous.temperature
        humidity = _MEAN_HUMIDITY if previous is None else previous.humidity
        temperature += self._random.gauss((_MEAN_TEMPERATURE - temperature) * _PULL, 0.7)
        humidity += self._random.gauss((_MEAN_HUMIDITY - humidity) * _PULL, 1.5)
        return Reading(
            at=self._clock(),
            temperature=round(temperature, 2),
            humidity=round(min(100.0, max(0.0, humidity)), 1),
        )
