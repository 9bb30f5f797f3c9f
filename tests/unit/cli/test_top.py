"""What `nexus top` makes of two scrapes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nexus.cli.figures import Between, Snapshot, quantile


def scrape(count: int, *, worker: str = "", **more: str) -> str:
    w = f'worker="{worker}",' if worker else ""
    http = f'{w}plugin="shop",route="/x",method="GET"'
    took = "nexus_http_request_duration_seconds"
    lag = "nexus_event_loop_lag_seconds"
    return f"""
nexus_build_info{{{w}version="1.2.3",python="3.11"}} 1
nexus_plugin_state{{{w}plugin="shop",state="running"}} 1
nexus_plugin_state{{{w}plugin="stock",state="{more.get("stock", "failed")}"}} 1
nexus_http_requests_total{{{http},status="200"}} {count * 8}
nexus_http_requests_total{{{http},status="503"}} {count * 2}
nexus_http_requests_in_flight{{{w}}} 1
{took}_bucket{{{w}plugin="shop",route="/x",le="0.01"}} {count * 5}
{took}_bucket{{{w}plugin="shop",route="/x",le="0.1"}} {count * 10}
{took}_bucket{{{w}plugin="shop",route="/x",le="+Inf"}} {count * 10}
nexus_events_published_total{{{w}}} {count * 4}
nexus_events_handled_total{{{w}plugin="shop",subscription="a"}} {count * 4}
nexus_events_failed_total{{{w}plugin="shop",subscription="a"}} {count}
nexus_event_subscription_waiting{{{w}plugin="shop",subscription="a"}} 7
nexus_event_subscription_oldest_seconds{{{w}plugin="shop",subscription="a"}} 90
nexus_plugin_restarts_total{{{w}plugin="shop"}} 1
nexus_plugin_task_restarts_total{{{w}plugin="shop"}} 2
{lag}_bucket{{{w}le="0.01"}} {count}
{lag}_bucket{{{w}le="+Inf"}} {count}
{lag}_count{{{w}}} {count}
process_resident_memory_bytes{{{w}}} 1048576
"""


def between(before: str, now: str, seconds: float = 2.0) -> Any:
    return Between(Snapshot.of(before, 10.0), Snapshot.of(now, 10.0 + seconds)).figures()


def test_rates_are_growth_by_second_and_quantiles_those_of_the_time_between() -> None:
    found = between(scrape(10), scrape(12))
    assert (found.version, found.workers, found.states) == (
        *("1.2.3", (1, 1)),
        {"failed": 1, "running": 1},
    )
    assert (found.requests, found.published, found.in_flight) == (10.0, 4.0, 1.0)
    assert found.loop_lag == pytest.approx(0.0099)
    stock, shop = found.plugins
    assert (stock.name, stock.state, stock.median) == ("stock", "failed", None)
    assert (shop.requests, shop.errors, shop.handled, shop.failed) == (10.0, 2.0, 4.0, 1.0)
    assert shop.median == pytest.approx(0.01)
    assert shop.slowest == pytest.approx(0.0982)
    assert (shop.waiting, shop.oldest, shop.restarts) == (7, 90, 3)


def test_workers_are_added_up_but_for_what_counts_for_all_of_them() -> None:
    up = 'nexus_worker_up{worker="1"} 1\nnexus_worker_up{worker="2"} 0\n'
    before = scrape(1, worker="1") + scrape(100, worker="2")
    now = scrape(2, worker="1") + scrape(102, worker="2", stock="running") + up
    found = between(before, now, seconds=1.0)
    assert found.workers == (2, 1)
    assert found.requests == 30.0
    [stock, shop] = found.plugins
    assert stock.state == "failed", "the worker that is worse off counts"
    assert (shop.waiting, shop.oldest) == (7, 90)


def test_a_counter_that_has_begun_anew_grew_by_all_it_has() -> None:
    assert between(scrape(50), scrape(3), seconds=1.0).requests == 30.0


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ([], 0.5, None),
        ([(1.0, 0.0), (float("inf"), 0.0)], 0.5, None),
        ([(1.0, 0.0), (float("inf"), 4.0)], 0.5, 1.0),
        ([(1.0, 2.0), (3.0, 4.0), (float("inf"), 4.0)], 0.75, 2.0),
        ([(1.0, 0.0), (3.0, 4.0), (float("inf"), 4.0)], 0.0, 1.0),
    ],
)
def test_quantiles_are_prometheus(buckets: Any, share: float, expected: Any) -> None:
    assert quantile(buckets, share) == expected


class Application:
    """Answers in the place of a running one, each time with more."""

    def __init__(self) -> None:
        self.count = 0

    def metrics(self) -> str:
        self.count += 1
        return scrape(self.count)


@pytest.fixture
def _running(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connected(_where: Any) -> Iterator[Any]:
        yield Application()

    times = iter(range(100))
    monkeypatch.setattr("nexus.cli.connection.connected", connected)
    monkeypatch.setattr("nexus.cli.top.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("nexus.cli.top.time.monotonic", lambda: float(next(times)))


@pytest.mark.usefixtures("_running")
def test_one_look_is_printed_where_there_is_no_terminal(nexus, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "130")
    lines = nexus("top").out.splitlines()
    assert lines[0].startswith("Nexus 1.2.3  1 worker  10.0 requests/s  1 in flight  4.0 events/s")
    assert lines[1] == "1 failed  1 running"
    assert lines[3].split()[:5] == ["Plugin", "State", "Req/s", "Err/s", "p50"]
    assert lines[4].split() == ["stock", "failed", *"-" * 9]
    assert lines[5].split() == [
        *("shop", "running", "10.0", "2.0", "10.0", "ms", "98.2", "ms", "4.0", "1.0", "7"),
        *("90", "s", "3"),
    ]


@pytest.mark.usefixtures("_running")
def test_a_narrow_place_has_the_columns_that_matter_most(nexus) -> None:
    lines = nexus("top").out.splitlines()
    heading = next(each for each in lines if each.startswith("Plugin"))
    assert heading.split() == ["Plugin", "State", "Req/s", "Err/s", "p99", "Waiting"]
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("_running")
def test_a_program_gets_all_of_it(nexus) -> None:
    found = nexus("top", "--json").json
    assert found["requests"] == 10.0
    assert [each["name"] for each in found["plugins"]] == ["stock", "shop"]
