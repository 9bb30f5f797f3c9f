"""The history as an SVG picture, for light and dark, and for those who listen to it."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from math import ceil, floor, log10
from typing import Final

from plugins.weather_station.models import Reading

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 52, 44

_STYLE: Final = """
.ground { fill: #ffffff; }
text { font: 13px system-ui, sans-serif; fill: #59636e; }
.title { font-size: 16px; font-weight: 600; fill: #1f2328; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.limit { stroke: #a40e26; stroke-width: 1.5; stroke-dasharray: 6 4; }
.limit-text { fill: #a40e26; stroke: #ffffff; stroke-width: 4; paint-order: stroke; }
.line { fill: none; stroke: #0b57b7; stroke-width: 2; stroke-linejoin: round; }
.dot { fill: #0b57b7; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; }
  text { fill: #9198a1; }
  .title { fill: #f0f6fc; }
  .grid { stroke: #3d444d; }
  .limit { stroke: #ff9492; }
  .limit-text { fill: #ff9492; stroke: #0d1117; }
  .line { stroke: #79b8ff; }
  .dot { fill: #79b8ff; }
}
"""
_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"
)
"""Allows the picture's own style and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What to draw.

    Attributes:
        title: What stands above it.
        unit: What stands behind a value.
        value: Gives a reading's value in that unit.
        limits: Values at which a line is drawn.
    """

    title: str
    unit: str
    value: Callable[[Reading], float]
    limits: Sequence[float] = ()

    def render(self, readings: Sequence[Reading]) -> str:
        """Give the picture of the readings, the oldest first."""
        values = [self.value(each) for each in readings]
        description = self._description(readings, values)
        parts = self._drawing(readings, values) if values else [_text(360, 170, description)]
        body = "\n".join(parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
            f' width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-labelledby="title desc">\n'
            f'<title id="title">{escape(self.title)}</title>\n'
            f'<desc id="desc">{escape(description)}</desc>\n'
            f"<style>{_STYLE}</style>\n"
            f'<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>\n'
            f'<text class="title" x="{_LEFT}" y="28">{escape(self.title)}</text>\n'
            f"{body}\n</svg>\n"
        )

    def _description(self, readings: Sequence[Reading], values: Sequence[float]) -> str:
        if not values:
            return "There are no readings yet."
        return (
            f"{len(values)} readings from {readings[0].at:%Y-%m-%d %H:%M:%S} to"
            f" {readings[-1].at:%Y-%m-%d %H:%M:%S} UTC. Lowest {min(values):.1f} {self.unit},"
            f" highest {max(values):.1f} {self.unit}, latest {values[-1]:.1f} {self.unit}."
        )

    def _drawing(self, readings: Sequence[Reading], values: Sequence[float]) -> list[str]:
        ticks = _ticks(min(values), max(values))
        low, high = ticks[0], ticks[-1]
        first, last = readings[0].at.timestamp(), readings[-1].at.timestamp()
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

        def x(reading: Reading) -> float:
            share = (reading.at.timestamp() - first) / (last - first) if last > first else 1.0
            return round(_LEFT + share * (right - _LEFT), 1)

        def y(value: float) -> float:
            return round(bottom - (value - low) / (high - low) * (bottom - _TOP), 1)

        parts: list[str] = []
        for tick in ticks:
            parts.append(_line("grid", _LEFT, right, y(tick)))
            parts.append(_text(_LEFT - 8, y(tick) + 4, f"{tick:g} {self.unit}", anchor="end"))
        points = " ".join(
            f"{x(reading)},{y(value)}" for reading, value in zip(readings, values, strict=True)
        )
        parts.append(f'<polyline class="line" points="{points}"/>')
        parts.append(f'<circle class="dot" r="4" cx="{x(readings[-1])}" cy="{y(values[-1])}"/>')
        for limit in self.limits:
            if low <= limit <= high:
                parts.append(_line("limit", _LEFT, right, y(limit)))
                label = f"alert at {limit:g} {self.unit}"
                parts.append(
                    _text(_LEFT + 4, y(limit) - 5, label, anchor="start", look="limit-text")
                )
        for reading, anchor in ((readings[0], "start"), (readings[-1], "end")):
            place = _LEFT if anchor == "start" else right
            parts.append(_text(place, bottom + 24, f"{reading.at:%H:%M:%S} UTC", anchor=anchor))
        return parts


def _ticks(low: float, high: float) -> list[float]:
    """Give about five round values that enclose `low` and `high`."""
    rough = max(high - low, 1.0) / 4
    scale = 10.0 ** floor(log10(rough))
    step = next(size * scale for size in (1, 2, 5, 10) if size * scale >= rough)
    first, last = floor(low / step), ceil(high / step)
    return [round(each * step, 6) for each in range(first, max(last, first + 1) + 1)]


def _line(look: str, left: float, right: float, y: float) -> str:
    return f'<line class="{look}" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", look: str = "") -> str:
    return f'<text class="{look}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
