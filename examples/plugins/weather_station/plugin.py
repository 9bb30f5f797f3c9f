"""A weather station: a background worker reads a sensor, and the routes show what it read."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from nexus.errors import NexusError
from nexus.plugins import BasePlugin, HealthStatus
from plugins.weather_station.alerts import Thresholds
from plugins.weather_station.chart import CONTENT_SECURITY_POLICY, Chart
from plugins.weather_station.history import History, aggregate
from plugins.weather_station.models import (
    AggregateList,
    Latest,
    Measure,
    Reading,
    ReadingList,
)
from plugins.weather_station.sensor import Sensor

_PATIENCE = 3
"""After how many intervals without a reading the worker is taken for dead."""


class WeatherStationPlugin(BasePlugin):
    """Reads, keeps and shows the weather, and warns when it turns bad."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History(self)
        self.sensor = Sensor(0)
        self.readings_taken = 0
        self._began = datetime.now(UTC)

    async def initialize(self) -> bool:
        """Set up the sensor and start the worker."""
        self.sensor = Sensor(await self.get_config("seed", 7))
        self._began = datetime.now(UTC)
        self.create_task(self._work(), name="ingest")
        return True

    def get_api_routes(self) -> list[APIRouter]:
        """Serve readings, aggregates and the chart."""
        router = APIRouter(tags=[self.name])

        @router.get("/latest", summary="Show the newest reading")
        async def get_latest() -> Latest:
            reading = await self.history.latest()
            if reading is None:
                raise HTTPException(404, "There is no reading yet; the first one comes soon.")
            age = datetime.now(UTC) - reading.at
            station = await self.get_config("station", "Roof")
            return Latest(station=station, reading=reading, age=age.total_seconds())

        @router.get("/history", summary="List the newest readings, the oldest first")
        async def get_history(limit: Annotated[int, Query(ge=1, le=5000)] = 100) -> ReadingList:
            return ReadingList(items=await self.history.newest(limit))

        @router.get("/aggregates", summary="Show least, greatest and mean values by window")
        async def get_aggregates(
            window: Annotated[int, Query(ge=1, le=86_400, description="In seconds.")] = 60,
        ) -> AggregateList:
            return AggregateList(items=aggregate(await self.history.newest(), window))

        @router.get("/chart.svg", summary="Show the history as a picture")
        async def get_chart(measure: Measure = "temperature") -> Response:
            return Response(
                (await self._chart(measure)).render(await self.history.newest()),
                media_type="image/svg+xml",
                headers={
                    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                    "Cache-Control": "no-cache",
                },
            )

        return [router]

    async def health_check(self) -> HealthStatus:
        """Add how old the newest reading is; too old means that the worker does not work."""
        health = await super().health_check()
        latest = await self.history.latest()
        # After a long stop the newest reading is old, and the worker has had no time yet.
        newest = self._began if latest is None else max(self._began, latest.at)
        age = (datetime.now(UTC) - newest).total_seconds()
        limit = max(_PATIENCE * await self.get_config("interval", 5), 2)
        late = age > limit
        health.components["ingestion"] = {
            "status": "unhealthy" if late else "healthy",
            "age_seconds": round(age, 3),
            "limit_seconds": limit,
        }
        if late:
            health.healthy = False
            health.message = f"There has been no reading for {age:.0f} s."
        health.metrics["readings_kept"] = float(await self.history.size())
        return health

    def get_metrics(self) -> dict[str, float]:
        """Add how many readings this generation has taken."""
        return {**super().get_metrics(), "readings_taken": float(self.readings_taken)}

    # The worker

    async def ingest(self) -> Reading | None:
        """Take a reading, keep it, and tell others.

        Returns:
            The reading, None when another generation of the plugin has taken over.
        """
        limit = await self.get_config("history", 500)
        thresholds = Thresholds(
            low=await self.get_config("low", 5), high=await self.get_config("high", 28)
        )
        previous = await self.history.latest()
        if self._stage() == "retired":
            return None
        reading = self.sensor.read(previous)
        await self.history.keep(reading, limit)
        self.readings_taken += 1
        await self.publish_event("weather_station.reading", reading.model_dump(mode="json"))
        alert = thresholds.alert(previous, reading)
        if alert is not None:
            await self.publish_event("weather_station.alert", alert)
        return reading

    async def _work(self) -> None:
        # During a reload the old and the new generation are there side by side. The new one
        # waits until it is live, and the old one stops when it no longer is.
        while (stage := self._stage()) != "retired":
            interval = await self.get_config("interval", 5)
            if stage == "staged":
                interval = min(interval, 0.1)
            else:
                await self._ingest_or_wait()
            await asyncio.sleep(interval)

    async def _ingest_or_wait(self) -> None:
        try:
            await self.ingest()
        except NexusError as error:
            # The database may be away. The next reading may work; health shows the gap.
            self.logger.warning("A reading was lost", extra={"reason": str(error)})

    def _stage(self) -> str:
        return str(self.get_info()["stage"])

    async def _chart(self, measure: Measure) -> Chart:
        station = await self.get_config("station", "Roof")
        if measure == "humidity":
            title = f"Humidity: {station}"
            return Chart(title=title, unit="%", value=lambda reading: reading.humidity)
        limits = [await self.get_config("low", 5), await self.get_config("high", 28)]
        title = f"Temperature: {station}"
        if await self.get_config("unit", "celsius") == "celsius":
            return Chart(
                title=title, unit="°C", value=lambda reading: reading.temperature, limits=limits
            )
        return Chart(
            title=title,
            unit="°F",
            value=lambda reading: _fahrenheit(reading.temperature),
            limits=[_fahrenheit(limit) for limit in limits],
        )


def _fahrenheit(celsius: float) -> float:
    return celsius * 9 / 5 + 32
