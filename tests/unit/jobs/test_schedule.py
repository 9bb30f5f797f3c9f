from datetime import UTC, datetime

import pytest

from nexus.jobs.schedule import Cron, Every


def times(expression: str, after: str, count: int, timezone: str = "UTC") -> list[str]:
    """Give the next times of an expression in UTC, by the day of the week."""
    schedule = Cron(expression=expression, timezone=timezone)
    moment = datetime.fromisoformat(f"{after}+00:00").timestamp()
    found = []
    for _ in range(count):
        moment = schedule.next_after(moment)
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%a %d %H:%M"))
    return found


def test_an_interval_counts_from_the_last_start() -> None:
    assert Every(seconds=300.0).next_after(1000.0) == 1300.0


def test_a_time_that_is_now_is_not_the_next_one() -> None:
    assert times("0 3 * * *", "2026-03-02T03:00:00", 1) == ["Tue 03 03:00"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 * * 0", ["Sun 08 00:00", "Sun 15 00:00"]),
        ("0 0 * * 7", ["Sun 08 00:00", "Sun 15 00:00"]),
        ("0 0 * * 1", ["Mon 09 00:00", "Mon 16 00:00"]),
        ("0 0 * * SUN", ["Sun 08 00:00", "Sun 15 00:00"]),
        ("0 0 * * 1-5", ["Tue 03 00:00", "Wed 04 00:00"]),
        ("0 0 * * 6-7", ["Sat 07 00:00", "Sun 08 00:00"]),
        ("0 0 * * fri-mon", ["Fri 06 00:00", "Sat 07 00:00"]),
        ("0 0 * * 1-5/2", ["Wed 04 00:00", "Fri 06 00:00"]),
        ("@weekly", ["Sun 08 00:00", "Sun 15 00:00"]),
    ],
)
def test_days_of_the_week_count_as_cron_counts_them(expression: str, expected: list[str]) -> None:
    assert times(expression, "2026-03-02T12:00:00", 2) == expected


def test_either_of_two_days_is_enough_as_for_cron() -> None:
    found = times("0 0 13 * fri", "2026-04-01T12:00:00", 3)
    assert found == ["Fri 03 00:00", "Fri 10 00:00", "Mon 13 00:00"]


def test_hours_are_those_of_the_time_zone() -> None:
    assert times("0 3 * * *", "2026-01-05T12:00:00", 1, "Europe/Berlin") == ["Tue 06 02:00"]
    assert times("0 3 * * *", "2026-07-05T12:00:00", 1, "Europe/Berlin") == ["Mon 06 01:00"]


def test_an_hour_that_is_there_twice_does_not_have_a_named_time_twice() -> None:
    found = times("30 2 * * *", "2026-10-24T12:00:00", 2, "Europe/Berlin")
    assert found == ["Sun 25 00:30", "Mon 26 01:30"]


def test_an_hour_that_is_there_twice_has_what_comes_each_half_hour_twice() -> None:
    found = times("*/30 * * * *", "2026-10-24T23:45:00", 4, "Europe/Berlin")
    assert found == ["Sun 25 00:00", "Sun 25 00:30", "Sun 25 01:00", "Sun 25 01:30"]


def test_an_hour_that_is_left_out_does_not_take_a_time_with_it() -> None:
    found = times("30 2 * * *", "2026-03-28T12:00:00", 2, "Europe/Berlin")
    assert found == ["Sun 29 01:30", "Mon 30 00:30"]


def test_the_text_tells_the_schedule() -> None:
    assert Every(seconds=5400.0, jitter=30.0).text == "every 1h30m, jitter 30s"
    assert Cron(expression="0 3 * * *", timezone="Europe/Berlin").text == (
        "cron 0 3 * * * (Europe/Berlin)"
    )
