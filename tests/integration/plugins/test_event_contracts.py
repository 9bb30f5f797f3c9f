"""What manifests promise of events, in a running application."""

import asyncio
from typing import Any

import pytest

from nexus.errors import EventContractViolated

EVENTS = {
    "publishes": [
        "order.seen",
        {"name": "order.placed", "version": 2, "schema": {"required": ["id"]}},
        {"name": "doer.done", "version": 1},
    ]
}
LISTENER = """
    async def initialize(self):
        self.seen = []
        await self.subscribe_to_event("order.*", self.on_order)
        return True

    async def on_order(self, event):
        self.seen.append((event.name, event.version))
"""


async def heard(site: Any, count: int) -> Any:
    """Give what the listener has heard, once it is so much; it hears from the log."""
    while len(site.plugin("hearer").seen) < count:
        await asyncio.sleep(0.01)
    return site.plugin("hearer").seen


async def test_a_publisher_is_held_to_its_schema_and_nobody_hears_of_what_does_not_fit(
    workshop: Any,
) -> None:
    workshop.plugin("doer", events=EVENTS)
    workshop.plugin("hearer", LISTENER, events={"subscribes": ["order.*"]})
    async with workshop.running() as site:
        plugin = site.plugin("doer")
        with pytest.raises(EventContractViolated) as caught:
            await plugin.publish_event("order.placed", {"no": "id"})
        assert (caught.value.plugin, caught.value.path) == ("doer", "$.id")
        await plugin.publish_event("order.seen", {"any": "data"})
        await plugin.publish_event("order.placed", {"id": 1})
        assert await heard(site, 2) == [("order.seen", None), ("order.placed", 2)]
        assert (await plugin.publish_event("doer.done")).version == 1


async def test_a_version_comes_back_from_the_log(workshop: Any) -> None:
    workshop.plugin("doer", events=EVENTS)
    workshop.plugin("hearer", LISTENER, events={"subscribes": ["order.*"]})
    async with workshop.running() as site:
        await site.api("POST", "/plugins/hearer/disable")
        await site.plugin("doer").publish_event("order.placed", {"id": 1})
        await site.api("POST", "/plugins/hearer/enable")
        assert await heard(site, 1) == [("order.placed", 2)]


async def test_a_transaction_is_held_to_the_schema_where_it_publishes(workshop: Any) -> None:
    workshop.plugin("doer", events=EVENTS)
    workshop.plugin("hearer", LISTENER, events={"subscribes": ["order.*"]})
    async with workshop.running() as site:
        plugin = site.plugin("doer")
        async with plugin.db.transaction():
            with pytest.raises(EventContractViolated):
                await plugin.publish_event("order.placed", {})
            await plugin.publish_event("order.placed", {"id": 1})
        assert await heard(site, 1) == [("order.placed", 2)]


async def test_what_a_staged_generation_publishes_is_checked_and_versioned(workshop: Any) -> None:
    body = """
    async def initialize(self):
        try:
            await self.publish_event("order.placed", {})
        except Exception as error:
            self.refused = error.code
        await self.publish_event("order.placed", {"id": 1})
        return True
    """
    workshop.plugin("hearer", LISTENER, events={"subscribes": ["order.*"]})
    workshop.plugin("starter", body, events=EVENTS, dependencies=["hearer"])
    async with workshop.running() as site:
        assert await heard(site, 1) == [("order.placed", 2)]
        assert site.plugin("starter").refused == "event-contract-violated"


async def test_a_request_is_held_to_the_schema(workshop: Any) -> None:
    workshop.plugin("doer", events=EVENTS)
    async with workshop.running() as site:
        with pytest.raises(EventContractViolated):
            await site.plugin("doer").request("order.placed", {})


async def test_what_operators_publish_is_held_to_the_schema(workshop: Any) -> None:
    workshop.plugin("doer", events=EVENTS)
    async with workshop.running() as site:
        refused = await site.api("POST", "/events", json={"name": "order.placed", "data": {}})
        assert refused.status_code == 422
        assert refused.json()["code"] == "event-contract-violated"
        assert "$.id: found nothing" in refused.json()["detail"]
        taken = await site.api("POST", "/events", json={"name": "order.placed", "data": {"id": 1}})
        assert (taken.status_code, taken.json()["version"]) == (202, 2)
        other = await site.api("POST", "/events", json={"name": "order.seen", "data": {}})
        assert (other.status_code, other.json()["version"]) == (202, None)


async def test_the_manifests_options_hold_for_its_pattern_and_the_code_wins(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("a.*", self.on_event, max_attempts=2)
        await self.subscribe_to_event("a.b", self.on_event)
        return True

    async def on_event(self, event): ...
    """
    declared = {"pattern": "a.*", "concurrency": 4, "max_attempts": 5, "timeout": 7}
    workshop.plugin("hearer", body, events={"subscribes": [declared]})
    async with workshop.running() as site:
        options = {each.pattern: each.options for each in site.live("hearer").events.subscriptions}
        assert options["a.*"].concurrency == 4
        assert (options["a.*"].max_attempts, options["a.*"].timeout) == (2, 7)
        assert (options["a.b"].concurrency, options["a.b"].timeout) == (1, None)
