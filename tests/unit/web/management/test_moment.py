"""How operators write moments."""

import pytest

from nexus.web.management.moment import since

NOW = 1_800_000_000 * 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("15min", 900),
        ("2h", 7200),
        ("1.5h", 5400),
        (" 7 d ", 604_800),
        ("1w", 604_800),
        ("0s", 0),
    ],
)
def test_a_duration_is_so_long_ago(text: str, seconds: int) -> None:
    assert since(text, NOW) == NOW - seconds * 10**9


def test_a_duration_longer_than_time_is_the_beginning() -> None:
    assert since("999999999w", NOW) == 0


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-15T08:00:00",
        "2027-01-15T08:00:00Z",
        "2027-01-15T09:00:00+01:00",
        "2027-01-15 08:00",
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str) -> None:
    assert since(text) == NOW


def test_a_time_is_exact_to_the_microsecond() -> None:
    assert since("2027-01-15T08:00:00.000001Z") == NOW + 1000


@pytest.mark.parametrize("text", ["", "yesterday", "2 fortnights", "-2h", "h", "2027-13-01", "12"])
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a duration such as"):
        since(text)
