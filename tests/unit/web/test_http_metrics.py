from typing import Any

from fastapi import APIRouter, HTTPException, Request
from prometheus_client import CollectorRegistry, generate_latest
from starlette.responses import PlainTextResponse

from nexus.web.http_metrics import (
    DURATION_BOUNDS,
    OTHER_ROUTES,
    ROUTE_LIMIT,
    UNMATCHED,
    HttpMetrics,
)


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
    foo = 'plugin="foo",route="/plugins/foo/x"'
    for line in (
        f'nexus_http_requests_total{{method="GET",{foo},status="200"}} 2.0',
        f'nexus_http_requests_total{{method="POST",{foo},status="409"}} 1.0',
        'nexus_http_requests_total{method="GET",plugin="nexus",route="unmatched",status="404"} 1.0',
        f"nexus_http_request_duration_seconds_count{{{foo}}} 3.0",
        f'nexus_http_request_duration_seconds_bucket{{le="+Inf",{foo}}} 3.0',
        "nexus_http_requests_in_flight 0.0",
    ):
        assert line in found
    (seconds,) = [
        line
        for line in found
        if line.startswith('nexus_http_request_duration_seconds_sum{plugin="foo",')
    ]
    assert float(seconds.split()[-1]) > 0


def test_durations_fall_into_cumulative_buckets() -> None:
    metrics = HttpMetrics()
    for seconds in (0.0, DURATION_BOUNDS[0], DURATION_BOUNDS[0] * 1.01, 1e6):
        metrics.series("foo").observe("/x", "GET", 200, seconds)
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


async def test_requests_are_counted_by_the_template_of_their_route(site: Any) -> None:
    inner = APIRouter()

    @inner.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    @inner.get("/fixed")
    async def fixed() -> None:
        pass

    outer = APIRouter()
    outer.include_router(inner, prefix="/deep")
    outer.mount("/files", PlainTextResponse("a file"))
    await site.install("foo", outer, inner)
    for path in (
        *("deep/items/1", "deep/items/2", "items/3", "items/4", "items/x"),
        *("fixed", "fixed", "deep/fixed", "files/a", "files/b/c", "nowhere"),
    ):
        await site.http.get(f"/plugins/foo/{path}")
    await site.http.delete("/plugins/foo/fixed")
    routes = site.app.metrics.series("foo").routes
    assert {name: dict(each.requests) for name, each in routes.items()} == {
        "/plugins/foo/deep/items/{item}": {("GET", 200): 2},
        "/plugins/foo/items/{item}": {("GET", 200): 2, ("GET", 422): 1},
        "/plugins/foo/fixed": {("GET", 200): 2, ("DELETE", 405): 1},
        "/plugins/foo/deep/fixed": {("GET", 200): 1},
        "/plugins/foo/files/{path}": {("GET", 200): 2},
        UNMATCHED: {("GET", 404): 1},
    }


async def test_the_applications_own_routes_are_told_apart(site: Any) -> None:
    router = APIRouter(prefix="/own")

    @router.get("/{number}")
    async def own(number: int) -> int:
        return number

    site.app.include_router(router)
    site.app.mount("/files", PlainTextResponse("a file"))
    for path in ("/own/1", "/own/2", "/files/x", "/docs", "/openapi.json"):
        await site.http.get(path)
    assert set(site.app.metrics.platform.routes) == {
        *("/own/{number}", "/files/{path}", "/docs", "/openapi.json")
    }


async def test_a_route_that_a_reload_has_taken_away_is_no_series_any_longer(site: Any) -> None:
    before, after = APIRouter(), APIRouter()
    for router in (before, after):
        router.add_api_route("/stays", lambda: None)
    before.add_api_route("/goes", lambda: None)
    old = await site.install("foo", before)
    for path in ("stays", "goes", "nothing"):
        await site.http.get(f"/plugins/foo/{path}")
    await site.install("foo", after, generation=2)
    await site.exposure.close(old)
    assert set(site.app.metrics.series("foo").routes) == {"/plugins/foo/stays", UNMATCHED}


def test_routes_without_end_share_a_series() -> None:
    series = HttpMetrics().series("foo")
    for number in range(ROUTE_LIMIT + 10):
        series.observe(f"/{number}", "GET", 200, 0.0)
    assert len(series.routes) == ROUTE_LIMIT + 1
    assert series.routes[OTHER_ROUTES].requests == {("GET", 200): 10}
    assert series.answered == ROUTE_LIMIT + 10
