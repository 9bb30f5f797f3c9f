"""When a job is due: APScheduler's triggers behind two values that can be written and compared."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from nexus.jobs.crontab import has_fixed_hour, triggers_of
from nexus.manifest.duration import written

_INSTANT: Final = timedelta(microseconds=1)


class Schedule(Protocol):
    """When a job is due."""

    @property
    def text(self) -> str:
        """The schedule as operators read it; another text is another schedule."""

    @property
    def jitter(self) -> float:
        """Seconds by which a run is late at most, at random."""

    def next_after(self, moment: float) -> float:
        """Give when it is due next after a run that starts at a moment.

        Args:
            moment: Seconds since the epoch.
        """


@dataclass(frozen=True, kw_only=True)
class Every:
    """Due again a fixed time after each start.

    Attributes:
        seconds: From one start to the next.
        jitter: Seconds by which a run is late at most, at random.
    """

    seconds: float
    jitter: float = 0.0

    @property
    def text(self) -> str:
        """The schedule as operators read it."""
        return f"every {written(self.seconds)}{_jitter(self.jitter)}"

    @cached_property
    def _trigger(self) -> Any:
        from apscheduler.triggers.interval import IntervalTrigger

        return IntervalTrigger(seconds=self.seconds, timezone=UTC)

    def next_after(self, moment: float) -> float:
        """Give when it is due next after a run that starts at a moment."""
        start = datetime.fromtimestamp(moment, UTC)
        found: datetime = self._trigger.get_next_fire_time(start, start)
        return found.timestamp()


@dataclass(frozen=True, kw_only=True)
class Cron:
    """Due at the times of a crontab expression.

    Attributes:
        expression: Its five fields.
        timezone: Where its hours are those of the clock on the wall.
        jitter: Seconds by which a run is late at most, at random.
    """

    expression: str
    timezone: str = "UTC"
    jitter: float = 0.0

    @property
    def text(self) -> str:
        """The schedule as operators read it."""
        return f"cron {self.expression} ({self.timezone}){_jitter(self.jitter)}"

    @cached_property
    def _triggers(self) -> tuple[Any, ...]:
        return triggers_of(self.expression, ZoneInfo(self.timezone))

    def next_after(self, moment: float) -> float:
        """Give the first of its times after a moment.

        When clocks are set back an hour is there twice; what has its hour in the expression is
        due in the first of the two only.

        Raises:
            ValueError: There is none, such as for the 30th of February.
        """
        after = datetime.fromtimestamp(moment, UTC) + _INSTANT
        while True:
            # Two where either of two days will do; see `triggers_of`.
            times = [each.get_next_fire_time(None, after) for each in self._triggers]
            found: datetime | None = min(filter(None, times), default=None)
            if found is None:
                raise ValueError(self.expression)
            if not (found.fold and has_fixed_hour(self.expression)):
                return found.timestamp()
            after = found.astimezone(UTC) + _INSTANT


def _jitter(seconds: float) -> str:
    return f", jitter {written(seconds)}" if seconds else ""
