from typing import Any

import pytest

from nexus.web.breaker import BreakerPolicy, Breakers, CircuitBreaker


class Plugin:
    """A breaker with a clock of its own and requests that the test counts."""

    def __init__(self, **policy: Any) -> None:
        self.now = 100.0
        self.answered = 0
        self.shared = Breakers(policy=BreakerPolicy(**policy))
        self.breaker = CircuitBreaker("foo", self.shared, lambda: self.answered, lambda: self.now)

    def fail(self, times: int = 1, after: float = 0.0) -> bool:
        for _ in range(times):
            self.now += after
            self.breaker.failed(ValueError("secret"))
            self.answered += 1
        return self.breaker.is_open

    def succeed(self, times: int) -> None:
        self.answered += times


def test_it_opens_when_so_many_have_failed() -> None:
    plugin = Plugin(failures=3)
    assert not plugin.fail(2)
    assert plugin.fail()
    assert plugin.shared.opened == {"foo": 1}
    assert "ValueError" in plugin.breaker.reason
    assert "secret" not in plugin.breaker.reason


def test_failures_that_lie_far_apart_do_not_open_it() -> None:
    assert not Plugin(failures=3, window=10.0).fail(20, after=6.0)
    assert Plugin(failures=3, window=10.0).fail(20, after=4.0)


def test_a_few_failures_among_many_successes_do_not_open_it() -> None:
    plugin = Plugin(failures=3)
    for _ in range(20):
        plugin.succeed(2)
        assert not plugin.fail()
    plugin = Plugin(failures=3)
    for _ in range(20):
        plugin.succeed(1)
        plugin.fail()
    assert plugin.breaker.is_open


def test_one_request_is_let_through_after_each_pause() -> None:
    plugin = Plugin(failures=1, pause=5.0)
    plugin.fail()
    assert plugin.breaker.seconds == 5
    assert not plugin.breaker.admits()
    plugin.now += 5.0
    assert [plugin.breaker.admits() for _ in range(3)] == [True, False, False]
    plugin.now += 5.0  # the first one hangs, say
    assert plugin.breaker.admits()


def test_each_failed_trial_doubles_the_pause_up_to_a_limit() -> None:
    plugin = Plugin(failures=1, pause=5.0, longest_pause=12.0)
    plugin.fail()
    pauses = []
    for _ in range(3):
        plugin.breaker.trial_failed(ValueError())
        pauses.append(plugin.breaker.seconds)
    assert pauses == [10, 12, 12]
    assert plugin.shared.opened == {"foo": 1}


def test_a_trial_that_succeeds_closes_it_and_counting_begins_anew() -> None:
    plugin = Plugin(failures=2)
    plugin.fail(2)
    plugin.breaker.succeeded()
    assert plugin.breaker.reason == ""
    assert not plugin.fail()
    assert plugin.fail()


def test_it_can_be_turned_off() -> None:
    assert not Plugin(failures=0).fail(1000)


@pytest.mark.parametrize("failures", [1, 10])
def test_what_fails_while_it_is_open_changes_nothing(failures: int) -> None:
    plugin = Plugin(failures=failures, pause=5.0)
    plugin.fail(failures)
    plugin.fail(100)
    assert plugin.breaker.seconds == 5
    assert plugin.shared.opened == {"foo": 1}
