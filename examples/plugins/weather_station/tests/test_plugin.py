"""The sensor, the history, the chart and the worker, without an application."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from nexus.testing import published
from plugins.weather_station.alerts import Thresholds
from plugins.weather_station.chart import Chart
from plugins.weather_station.history import aggregate
from plugins.weather_station.models import Reading
from plugins.weather_station.plugin import WeatherStationPlugin
from plugins.weather_station.sensor import Sensor

MakePlugin = Callable[..., Awaitable[WeatherStationPlugin]]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own picture


def reading(temperature: float, seconds: float = 0.0, humidity: float = 50.0) -> Reading:
    at = START + timedelta(seconds=seconds)
    return Reading(at=at, temperature=temperature, humidity=humidity)


def walk(sensor: Sensor, steps: int) -> list[Reading]:
    readings: list[Reading] = []
    for _ in range(steps):
        readings.append(sensor.read(readings[-1] if readings else None))
    return readings


def test_the_same_seed_gives_the_same_weather() -> None:
    first, second, other = (
        [each.temperature for each in walk(Sensor(seed, clock=lambda: START), 20)]
        for seed in (1, 1, 2)
    )
    assert first == second != other


def test_the_weather_stays_within_reason() -> None:
    readings = walk(Sensor(3), 2000)
    assert all(-20 < each.temperature < 50 for each in readings)
    assert all(0 <= each.humidity <= 100 for each in readings)


def test_readings_are_put_together_by_window() -> None:
    readings = [reading(10, 0), reading(20, 59), reading(30, 60), reading(5, 300)]
    windows = aggregate(readings, 60)
    assert [window.count for window in windows] == [2, 1, 1]
    assert windows[0].temperature.model_dump() == {"min": 10, "max": 20, "mean": 15}
    assert windows[0].start == START
    assert windows[0].end == windows[1].start == START + timedelta(seconds=60)
    assert aggregate([], 60) == []


def test_only_the_crossing_of_a_threshold_is_an_alert() -> None:
    thresholds = Thresholds(low=5, high=28)
    course = [reading(value) for value in (20, 29, 30, 20, 29, 4)]
    befores = [None, *course]
    alerts = [thresholds.alert(before, now) for before, now in zip(befores, course, strict=False)]
    assert [alert and alert["kind"] for alert in alerts] == [
        None,
        "high",
        None,
        None,
        "high",
        "low",
    ]


def test_weather_that_is_bad_from_the_start_is_an_alert() -> None:
    alert = Thresholds(low=5, high=28).alert(None, reading(30))
    assert alert is not None
    assert alert["message"] == "30.0 °C is above 28 °C."


CHART = Chart(title="Roof & <b>", unit="°C", value=lambda each: each.temperature, limits=[15, 99])


def test_the_chart_tells_those_who_cannot_see_it() -> None:
    svg = parse(CHART.render([reading(10, 0), reading(20, 60)]))
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == "title desc"
    assert svg.findtext(f"{SVG}title") == "Roof & <b>"
    description = svg.findtext(f"{SVG}desc") or ""
    assert "2 readings" in description
    assert "Lowest 10.0 °C, highest 20.0 °C" in description


def test_the_chart_draws_every_reading_inside_its_frame() -> None:
    svg = parse(CHART.render(walk(Sensor(5), 30)))
    line = svg.find(f"{SVG}polyline")
    assert line is not None
    points = [point.split(",") for point in line.get("points", "").split()]
    assert len(points) == 30
    assert all(0 <= float(x) <= 720 and 0 <= float(y) <= 320 for x, y in points)


def test_only_limits_within_the_picture_are_drawn() -> None:
    svg = parse(CHART.render([reading(10, 0), reading(20, 60)]))
    assert len(svg.findall(f"{SVG}line[@class='limit']")) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_a_chart_of_hardly_anything_is_a_picture_too(count: int) -> None:
    assert parse(CHART.render([reading(10)] * count)).tag == f"{SVG}svg"


async def test_a_reading_is_kept_and_told(make_plugin: MakePlugin) -> None:
    plugin = await make_plugin(WeatherStationPlugin)
    taken = await plugin.ingest()
    assert taken is not None
    assert await plugin.history.newest() == [taken]
    assert [event.name for event in published(plugin)] == ["weather_station.reading"]
    assert published(plugin)[0].data["temperature"] == taken.temperature


async def test_the_oldest_readings_make_room(make_plugin: MakePlugin) -> None:
    plugin = await make_plugin(WeatherStationPlugin, config={"history": 10})
    taken = [await plugin.ingest() for _ in range(12)]
    assert await plugin.history.newest() == taken[2:]


async def test_an_alert_is_told(make_plugin: MakePlugin) -> None:
    plugin = await make_plugin(WeatherStationPlugin, config={"high": -30, "low": -60})
    await plugin.ingest()
    await plugin.ingest()
    names = [event.name for event in published(plugin)]
    assert names.count("weather_station.alert") == 1


async def test_a_worker_without_readings_is_unhealthy(make_plugin: MakePlugin) -> None:
    plugin = await make_plugin(WeatherStationPlugin, config={"interval": 1})
    plugin.initialized = True
    plugin._began = datetime.now(UTC) - timedelta(minutes=1)  # noqa: SLF001 - time, made to pass
    health = await plugin.health_check()
    assert not health.healthy
    assert health.components["ingestion"]["status"] == "unhealthy"
    await plugin.ingest()
    assert (await plugin.health_check()).healthy
