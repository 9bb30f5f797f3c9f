"""The table of readings."""

from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy import BigInteger, Double
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plugins.weather_station.models import Reading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Base(DeclarativeBase):
    """What the station keeps."""


class StoredReading(Base):
    """One reading.

    Databases differ in how exactly they keep a point in time, and in what they make of its zone. A
    number of microseconds is the same in all of them.
    """

    __tablename__ = "readings"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    """Microseconds since 1970, in UTC."""
    temperature: Mapped[float] = mapped_column(Double)
    """In degrees Celsius."""
    humidity: Mapped[float] = mapped_column(Double)
    """Relative, in percent."""

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Give a reading as it is stored."""
        return cls(
            at=(reading.at - _EPOCH) // _MICROSECOND,
            temperature=reading.temperature,
            humidity=reading.humidity,
        )

    def reading(self) -> Reading:
        """Give it back."""
        return Reading(
            at=_EPOCH + self.at * _MICROSECOND,
            temperature=self.temperature,
            humidity=self.humidity,
        )
