from datetime import UTC, datetime, timedelta

import pytest

from nexus.cli.output import ago, count, shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s ago"),
        (61, "1 min ago"),
        (7300, "2 h ago"),
        (90000, "1 day ago"),
        (2e6, "23 days ago"),
    ],
)
def test_times_are_told_as_people_do(seconds: float, text: str) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    assert ago(moment) == text
    assert ago(moment.isoformat()) == text


def test_no_time_is_nothing() -> None:
    assert ago(None) == ""


def test_values_are_shown_as_text_or_json() -> None:
    assert shown("text") == "text"
    assert shown(None) == "-"
    assert shown([True]) == "[true]"
    assert shown({"a": "ü"}) == '{"a": "ü"}'


def test_nouns_follow_their_number() -> None:
    assert count(1, "plugin") == "1 plugin"
    assert count(0, "plugin") == "0 plugins"
