"""What plugins log: kept, watched, and made more or less while they run."""

import asyncio
import json
import logging
from typing import Any

import pytest
from tests.integration.plugins.test_event_stream import streaming

TALKING = """
    async def initialize(self):
        self.secret = await self.get_config("key")
        await self.subscribe_to_event("shop.ordered", self.ordered)
        return True

    async def ordered(self, event):
        self.logger.info("an order of %s", self.secret, extra={"count": 2})
        self.event_id = event.id
        helped()

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/order")
        async def order():
            self.logger.debug("in detail")
            helped()
            await self.publish_event("shop.ordered")

        return [router]
"""
TOP = """
import logging
log = logging.getLogger(__name__)

def helped():
    log.debug("a module's own line")
"""
CONFIGURATION = {"key": {"type": "string", "secret": True, "default": "a-very-secret-word"}}


def talking(workshop: Any) -> None:
    workshop.plugin("shop", TALKING, top=TOP, configuration=CONFIGURATION)


async def logged(site: Any, **query: Any) -> list[dict[str, Any]]:
    answer = (await site.api("GET", "/plugins/shop/logs", params=query)).json()
    found: list[dict[str, Any]] = answer["items"]
    return found


@pytest.fixture(autouse=True)
def _from_info_on(caplog: Any) -> None:
    caplog.set_level(logging.INFO)


async def test_a_line_tells_plugin_generation_request_and_event(workshop: Any) -> None:
    talking(workshop)
    async with workshop.running() as site:
        answer = await site.http.post("/plugins/shop/order")
        await site.app.bus.join(60)
        [line] = [each for each in await logged(site) if each["event"].startswith("an order")]
        assert line["event"] == "an order of ********"
        assert (line["plugin"], line["generation"], line["count"]) == ("shop", 1, 2)
        assert (line["level"], line["logger"]) == ("info", "nexus.plugin.shop")
        assert line["event_id"] == site.plugin("shop").event_id
        await site.api("PUT", "/plugins/shop/log-level", json={"level": "DEBUG"})
        answer = await site.http.post("/plugins/shop/order")
        found = {each["event"]: each for each in await logged(site)}
        assert found["in detail"]["request_id"] == answer.headers["x-request-id"]


async def test_a_level_holds_for_all_of_a_plugins_code_and_over_reloads(workshop: Any) -> None:
    talking(workshop)
    async with workshop.running() as site:

        async def details() -> list[str]:
            await site.http.post("/plugins/shop/order")
            await site.app.bus.join(60)
            found = [each["event"] for each in await logged(site) if each["level"] == "debug"]
            return found[-3:]

        assert await details() == []
        set_to = await site.api("PUT", "/plugins/shop/log-level", json={"level": "DEBUG"})
        assert (set_to.status_code, set_to.json()) == (200, {"level": "DEBUG"})
        all_details = ["in detail", "a module's own line", "a module's own line"]
        assert await details() == all_details
        await site.api("POST", "/plugins/shop/reload")
        assert await details() == all_details
        rows = (await site.api("GET", "/audit", params={"action": "plugin.log_level"})).json()
        [row] = rows["items"]
        assert (row["plugin"], row["before"]) == ("shop", {"level": None})
        assert row["after"] == {"level": "DEBUG"}

    async with workshop.running() as site:
        await site.http.post("/plugins/shop/order")
        assert (await site.api("GET", "/plugins/shop/logs")).json()["level"] == "DEBUG"
        assert [each["level"] for each in await logged(site)].count("debug") >= 2
        await site.api("PUT", "/plugins/shop/log-level", json={"level": "ERROR"})
        before = await logged(site)
        await site.http.post("/plugins/shop/order")
        await site.app.bus.join(60)
        assert await logged(site) == before
        await site.api("PUT", "/plugins/shop/log-level", json={"level": None})
        assert logging.getLogger("nexus.plugin.shop").level == logging.NOTSET
        bad = await site.api("PUT", "/plugins/shop/log-level", json={"level": "LOUD"})
        assert bad.status_code == 422
        for path in ("logs", "logs/stream"):
            assert (await site.api("GET", f"/plugins/none/{path}")).status_code == 404
        answer = await site.api("PUT", "/plugins/none/log-level", json={"level": "INFO"})
        assert answer.status_code == 404


async def test_a_level_reaches_all_workers(workshop: Any) -> None:
    talking(workshop)
    shared = {"database": {"shared": True}}
    async with workshop.running(**shared) as one, workshop.running(**shared) as two:
        answer = await one.api("PUT", "/plugins/shop/log-level", json={"level": "WARNING"})
        assert answer.status_code == 200
        for site in (one, two):
            assert (await site.api("GET", "/plugins/shop/logs")).json()["level"] == "WARNING"
        await two.api("PUT", "/plugins/shop/log-level", json={"level": None})
        assert (await one.api("GET", "/plugins/shop/logs")).json()["level"] is None


async def test_lines_can_be_watched_until_the_application_stops(workshop: Any) -> None:
    talking(workshop)
    async with workshop.running() as site:
        await site.http.post("/plugins/shop/order")
        await site.app.bus.join(60)
        path = "/api/v1/plugins/shop/logs/stream"
        async with asyncio.timeout(60), streaming(site, "last=1", path=path) as reader:
            await workshop.until(lambda: len(reader.read) >= 3)
            await site.http.post("/plugins/shop/order")
            await workshop.until(lambda: len(reader.read) >= 4)
            site.app.announce_stop()
            await reader.has_ended.wait()
        kinds = [each.kind for each in reader.read]
        assert kinds == ["remark", "workers", "message", "message", "end"]
        lines = [json.loads(each.data) for each in reader.read if each.kind == "message"]
        assert [each["event"] for each in lines] == ["an order of ********"] * 2
        assert lines[0]["id"] < lines[1]["id"]
