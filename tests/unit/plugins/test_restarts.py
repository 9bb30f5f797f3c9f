from nexus.plugins.restarts import NO_RESTARTS, RestartPolicy, Restarts


def restarts(**policy: float) -> Restarts:
    return Restarts(RestartPolicy(**policy), draw=lambda: 1.0)  # type: ignore[arg-type]  # numbers


def test_pauses_double_until_the_restarts_are_used_up() -> None:
    counted = restarts(intensity=3, pause=0.5)
    assert [counted.after(0.0) for _ in range(5)] == [0.5, 1.0, 2.0, None, None]


def test_no_pause_is_longer_than_the_longest() -> None:
    counted = restarts(intensity=9, pause=1.0, longest_pause=3.0)
    assert [counted.after(0.0) for _ in range(4)] == [1.0, 2.0, 3.0, 3.0]


def test_what_ran_for_the_period_begins_anew() -> None:
    counted = restarts(intensity=2, pause=1.0, period=60.0)
    assert [counted.after(25.0) for _ in range(3)] == [1.0, 2.0, None]
    assert counted.after(61.0) == 1.0


def test_only_the_time_that_it_ran_counts() -> None:
    counted = restarts(intensity=1, pause=50.0, longest_pause=100.0, period=60.0)
    assert counted.after(0.0) == 50.0
    assert counted.after(0.0) is None


def test_pauses_are_scattered_between_the_half_and_the_whole() -> None:
    policy = RestartPolicy(pause=1.0)
    pauses = {Restarts(policy).after(0.0) for _ in range(50)}
    assert len(pauses) > 1
    assert all(pause is not None and 0.5 <= pause <= 1.0 for pause in pauses)


def test_there_may_be_no_restarts_at_all() -> None:
    assert Restarts(NO_RESTARTS).after(1000.0) is None


def test_failures_can_be_forgotten() -> None:
    counted = restarts(intensity=1)
    assert counted.after(0.0) is not None
    counted.reset()
    assert counted.after(0.0) is not None
