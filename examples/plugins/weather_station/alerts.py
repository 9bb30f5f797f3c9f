"""When the weather is worth an alert."""

from dataclasses import dataclass
from typing import Any

from plugins.weather_station.models import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Between which temperatures all is well, in degrees Celsius."""

    low: float
    high: float

    def alert(self, previous: Reading | None, reading: Reading) -> dict[str, Any] | None:
        """Give the data of an alert when a reading crosses a threshold.

        Only the crossing is an alert: weather that stays bad is no news.
        """
        kind = self._kind(reading)
        if kind is None or (previous is not None and self._kind(previous) == kind):
            return None
        threshold = self.low if kind == "low" else self.high
        word = "below" if kind == "low" else "above"
        return {
            "kind": kind,
            "temperature": reading.temperature,
            "threshold": threshold,
            "at": reading.at.isoformat(),
            "message": f"{reading.temperature:.1f} °C is {word} {threshold:g} °C.",
        }

    def _kind(self, reading: Reading) -> str | None:
        if reading.temperature < self.low:
            return "low"
        return "high" if reading.temperature > self.high else None
