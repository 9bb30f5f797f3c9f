import pytest

from nexus.events import BusSettings, Event, RecentEvents, SubscriptionOptions
from nexus.events.retry import RetryPolicy


@pytest.mark.parametrize(
    "wrong",
    [
        {"mailbox_size": 0},
        {"max_attempts": 0},
        {"handler_timeout": 0},
        {"publish_timeout": -1},
        {"dead_letter_limit": -1},
    ],
)
def test_bus_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BusSettings(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"timeout": 0}, {"max_attempts": 0}, {"mailbox_size": 0}]
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SubscriptionOptions(**wrong)


def test_delays_double_up_to_a_limit():
    policy = RetryPolicy(max_attempts=9, delay=1.0, max_delay=5.0)
    assert [policy.delay_after(n, lambda: 1.0) for n in (1, 2, 3, 4, 5000)] == [1, 2, 4, 5, 5]


def test_half_of_a_delay_is_random():
    policy = RetryPolicy(max_attempts=9, delay=1.0, max_delay=5.0)
    numbers = iter((0.0, 0.5, 1.0))
    delays = [policy.delay_after(1, lambda: next(numbers)) for _ in range(3)]
    assert delays == [0.5, 0.75, 1.0]


def test_recent_events_are_a_ring_shown_newest_first():
    recent = RecentEvents(3)
    for name in ("a.x", "b.x", "a.y", "a.z"):
        recent.add(Event(name))
    assert [event.name for event in recent.list()] == ["a.z", "a.y", "b.x"]
    assert [event.name for event in recent.list(pattern="a.*", limit=1)] == ["a.z"]
    assert [event.name for event in recent.list(pattern="b.x")] == ["b.x"]
    assert recent.list(limit=0) == []
