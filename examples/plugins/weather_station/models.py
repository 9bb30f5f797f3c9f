"""What the station measures, and what it makes of it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

Measure = Literal["temperature", "humidity"]


class Reading(BaseModel):
    """What the sensor said at one moment."""

    at: datetime
    temperature: float = Field(description="In degrees Celsius.")
    humidity: float = Field(description="Relative humidity, in percent.")


class Latest(BaseModel):
    """The newest reading, and how old it is."""

    station: str
    reading: Reading
    age: float = Field(description="In seconds.")


class ReadingList(BaseModel):
    """Readings, the oldest first."""

    items: list[Reading]


class Spread(BaseModel):
    """The values of one measure in one window."""

    min: float
    max: float
    mean: float


class Aggregate(BaseModel):
    """The readings of one window of time."""

    start: datetime
    end: datetime = Field(description="The first moment after the window.")
    count: int
    temperature: Spread
    humidity: Spread


class AggregateList(BaseModel):
    """Windows that have readings, the oldest first."""

    items: list[Aggregate]
