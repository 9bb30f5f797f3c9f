from typing import Any

from fastapi import APIRouter, HTTPException, Request
from prometheus_client import CollectorRegistry, generate_latest

from nexus.web.http_metrics import DURATION_BOUNDS, HttpMetrics


def lines(metrics: HttpMetrics) -> list[str]:
    registry = CollectorRegistry()
    metrics.register(registry)
    return generate_latest(registry).decode().splitlines()


async def test_requests_are_counted_by_plugin_method_and_status(site: Any) -> None:
    router = APIRouter()

    @router.get("/x")
    async def x(request: Request) -> int:
        in_flight: int = request.app.metrics.in_flight
        return in_flight

    @router.post("/x")
    async def refused() -> None:
        raise HTTPException(409)

    await site.install("foo", router)
    assert (await site.http.get("/plugins/foo/x")).json() == 1
    await site.http.get("/plugins/foo/x")
    await site.http.post("/plugins/foo/x")
    await site.http.get("/nothing")
    found = lines(site.app.metrics)
    for line in (
        'nexus_http_requests_total{method="GET",plugin="foo",status="200"} 2.0',
        'nexus_http_requests_total{method="POST",plugin="foo",status="409"} 1.0',
        'nexus_http_requests_total{method="GET",plugin="nexus",status="404"} 1.0',
        'nexus_http_request_duration_seconds_count{plugin="foo"} 3.0',
        'nexus_http_request_duration_seconds_bucket{le="+Inf",plugin="foo"} 3.0',
        "nexus_http_requests_in_flight 0.0",
    ):
        assert line in found
    (seconds,) = [
        line
        for line in found
        if line.startswith('nexus_http_request_duration_seconds_sum{plugin="foo"}')
    ]
    assert float(seconds.split()[-1]) > 0


def test_durations_fall_into_cumulative_buckets() -> None:
    metrics = HttpMetrics()
    for seconds in (0.0, DURATION_BOUNDS[0], DURATION_BOUNDS[0] * 1.01, 1e6):
        metrics.series("foo").observe("GET", 200, seconds)
    found = [line for line in lines(metrics) if "bucket{" in line and 'plugin="foo"' in line]
    counts = [float(line.split()[-1]) for line in found]
    assert counts[:2] == [2.0, 3.0]
    assert counts[-2:] == [3.0, 4.0]
    assert counts == sorted(counts)


async def test_a_made_up_method_makes_no_series_of_its_own(site: Any) -> None:
    for number in range(3):
        await site.http.request(f"HACK{number}", "/nothing")
    assert site.app.metrics.platform.requests == {("OTHER", 404): 3}


async def test_a_plugins_counts_outlive_a_reload_and_end_with_the_plugin(site: Any) -> None:
    old = await site.install("foo", APIRouter())
    await site.http.get("/plugins/foo/x")
    new = await site.install("foo", APIRouter(), generation=2)
    await site.exposure.close(old)
    await site.http.get("/plugins/foo/x")
    assert site.app.metrics.series("foo").requests == {("GET", 404): 2}
    site.exposure.withdraw(new)
    await site.exposure.close(new)
    assert not [line for line in lines(site.app.metrics) if 'plugin="foo"' in line]
