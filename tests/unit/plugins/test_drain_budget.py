from nexus.plugins.drain_budget import DrainBudget


def test_drains_share_one_limit_once_a_stop_has_begun() -> None:
    now = 0.0
    budget = DrainBudget(10.0, lambda: now)
    now = 100.0
    assert budget.left() == 10.0
    assert budget.begin()
    now = 104.0
    assert not budget.begin()
    assert budget.left() == 6.0
    now = 200.0
    assert budget.left() == 0.5
    budget.reset()
    assert budget.left() == 10.0
