"""Requests are kept away from a plugin while they keep failing."""

import sys
from typing import Any

BODY = """
    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            if sys.broken:
                raise {error}
            return "well"

        @router.get("/missing")
        async def missing():
            raise HTTPException(503)

        @router.websocket("/socket")
        async def socket(websocket):
            await websocket.accept()

        return [router]
"""
TOP = "from fastapi import HTTPException"
QUICK = {"supervision": {"breaker_failures": 3, "breaker_pause": 600.0}}


def broken(*, is_so: bool) -> None:
    sys.broken = is_so  # type: ignore[attr-defined]


def time_passes(site: Any, name: str) -> None:
    site.app.dispatcher.live[name].breaker._trial_at = 0.0


async def statuses(site: Any, times: int, path: str = "/") -> list[int]:
    return [(await site.http.get(f"/plugins/foo{path}")).status_code for _ in range(times)]


async def test_a_plugin_whose_requests_keep_failing_answers_503_until_a_trial_succeeds(
    workshop: Any,
) -> None:
    broken(is_so=True)
    workshop.plugin("foo", BODY.replace("{error}", "ValueError('no')"), top=TOP)
    workshop.plugin("good", says="good")
    async with workshop.running(**QUICK) as site:
        assert await statuses(site, 4) == [500, 500, 500, 503]
        answer = await site.http.get("/plugins/foo/")
        assert (answer.json()["code"], answer.json()["state"]) == ("circuit-open", "running")
        assert int(answer.headers["retry-after"]) > 500
        assert "ValueError" in answer.json()["detail"]
        assert await site.says("good") == "good"

        shown = (await site.api("GET", "/plugins/foo")).json()
        assert (shown["state"], "kept failing" in shown["reason"]) == ("running", True)
        health = (await site.http.get("/health", headers=site.admin)).json()
        assert (health["status"], health["plugins"]["foo"]["healthy"]) == ("degraded", False)
        assert "kept failing" in health["plugins"]["foo"]["reason"]
        scrape = (await site.http.get("/metrics")).text
        assert 'nexus_plugin_circuit_open{plugin="foo"} 1.0' in scrape
        assert 'nexus_plugin_circuit_opened_total{plugin="foo"} 1.0' in scrape

        time_passes(site, "foo")
        assert await statuses(site, 2) == [500, 503]
        broken(is_so=False)
        time_passes(site, "foo")
        assert await statuses(site, 3) == [200, 200, 200]
        assert (await site.api("GET", "/plugins/foo")).json()["reason"] == ""


async def test_a_reload_begins_with_a_closed_circuit(workshop: Any) -> None:
    broken(is_so=True)
    workshop.plugin("foo", BODY.replace("{error}", "SystemExit"), top=TOP)
    async with workshop.running(**QUICK) as site:
        assert await statuses(site, 4) == [500, 500, 500, 503]
        broken(is_so=False)
        await site.app.manager.reload("foo")
        assert await statuses(site, 1) == [200]


async def test_errors_that_a_plugin_answers_itself_do_not_open_it(workshop: Any) -> None:
    broken(is_so=False)
    workshop.plugin("foo", BODY.replace("{error}", "ValueError"), top=TOP)
    async with workshop.running(**QUICK) as site:
        assert await statuses(site, 20, "/missing") == [503] * 20
        assert await statuses(site, 20, "/nowhere") == [404] * 20
        assert await statuses(site, 1) == [200]
