"""How much there is to do, on the overview."""

from dataclasses import replace

import pytest
from tests.unit.builtin.admin.conftest import Site

from nexus.builtin.admin.sparkline import HEIGHT, WIDTH, sparkline
from nexus.web.management.activity import Activity, Counts, together


def test_rates_are_those_between_two_looks_and_old_troubles_are_forgotten() -> None:
    now = Counts(at=0.0)
    activity = Activity(lambda: now)
    activity._looks[0] = now  # it begins with the clock of the machine
    now = Counts(requests=50, errors=5, events=20, slow_queries=2, blocks={"shop": 1}, at=10.0)
    seen = together([activity.look()])
    assert seen["items"] == [{"seconds": 10.0, "requests": 5.0, "errors": 0.5, "events": 2.0}]
    assert seen["slow_queries"] == 2
    assert seen["blocks"] == {"shop": 1}
    now = replace(now, requests=51, at=10.5)
    assert len(together([activity.look()])["items"]) == 1, "two looks at once are one"
    for second in range(11, 140):
        now = replace(now, requests=now.requests + 1, at=float(second))
        seen = together([activity.look()])
    assert len(seen["items"]) == 120
    assert seen["items"][-1]["requests"] == 1.0
    assert seen["slow_queries"] == 0
    assert seen["blocks"] == {}


def test_what_all_workers_do_is_added_up_at_the_same_times() -> None:
    one = {
        "looks": [[0.0, 0, 0, 0], [10.0, 100, 10, 0], [20.0, 200, 10, 40]],
        "seconds": 21.0,
        "slow_queries": 1,
        "blocks": {"shop": 1},
    }
    late = {
        "looks": [[12.0, 0, 0, 0], [22.0, 50, 0, 10]],
        "seconds": 11.0,
        "slow_queries": 2,
        "blocks": {"shop": 2, "till": 1},
    }
    for workers in ([one, late], [late, one]):
        assert together(workers) == {
            "items": [
                {"seconds": 10.0, "requests": 10.0, "errors": 1.0, "events": 0.0},
                {"seconds": 10.0, "requests": 14.0, "errors": 0.0, "events": 4.8},
            ],
            "seconds": 21.0,
            "slow_queries": 3,
            "blocks": {"shop": 3, "till": 1},
        }


def test_a_sparkline_fills_its_box() -> None:
    assert sparkline([]) == sparkline([1.0]) == ""
    points = [tuple(map(float, each.split(","))) for each in sparkline([0.0, 4.0, 2.0]).split()]
    assert [x for x, _ in points] == [0.0, WIDTH / 2, WIDTH]
    assert [y for _, y in points] == [HEIGHT - 1, 1.0, HEIGHT / 2]
    assert {y for _, y in [p.split(",") for p in sparkline([0.0, 0.0]).split()]} == {"27.0"}


async def test_the_overview_tells_of_blocks_and_slow_statements(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await site.signed_in()
    assert "All is well" in await browser.see("/admin/")
    monkeypatch.setitem(site.app.parts.watchdog.blocks, "shop", 3)
    figures = site.app.database.figures
    monkeypatch.setattr(site.app.database, "figures", lambda: {**figures(), "slow_queries": 7})
    page = await browser.see("/admin/")
    assert "shop blocks the event loop" in page
    assert "3 times" in page
    assert "The database is slow" in page
    assert "7 times" in page
