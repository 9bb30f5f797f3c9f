"""Plugins that are started by the first event that their manifests name."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from nexus.errors import RequestFailed
from nexus.plugins import PluginState

HEARS = """
    async def initialize(self):
        sys.first["starts"].append(self.name)
        await sys.first["gate"].wait()
        for pattern in {patterns!r}:
            await self.subscribe_to_event(pattern, self.hear)
        return {result}

    async def hear(self, event):
        sys.first["heard"].append((self.name, event.name, event.data.get("n")))
        return {{"got": event.data.get("n")}}
"""


def hears(*patterns: str, result: str = "True") -> str:
    return HEARS.format(patterns=patterns, result=result)


@pytest.fixture(autouse=True)
def first() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {"starts": [], "heard": [], "gate": asyncio.Event()}
    found["gate"].set()
    sys.first = found  # type: ignore[attr-defined]  # where the plugins find it
    yield found
    del sys.first  # type: ignore[attr-defined]


async def publish(site: Any, name: str, *numbers: int) -> None:
    for number in numbers:
        await site.app.bus.publish(name, {"n": number}, source="nexus")


async def test_durable_events_wait_in_the_log_and_the_first_one_starts_the_plugin(
    workshop: Any, first: dict[str, Any]
) -> None:
    use: dict[str, Any] = {
        "activation": ["on_event:order.*"],
        "events": {"subscribes": ["order.placed", "order.paid", "user.created"]},
    }
    handled = ("order.placed", "order.paid", "user.created")
    workshop.plugin("lazy", hears(*handled), idle_stop=0.05, **use)
    async with workshop.running() as site:
        assert site.state("lazy") is PluginState.DORMANT
        assert site.reason("lazy") == "It starts at its first use: an event order.*."
        await publish(site, "user.created", 0)
        await publish(site, "item.sold", 1)
        assert first["starts"] == []  # neither starts it, and the first one waits

        first["gate"].clear()
        await publish(site, "order.placed", 2, 3)
        await workshop.until(lambda: first["starts"])
        await publish(site, "order.placed", 4)
        first["gate"].set()
        await workshop.until(lambda: len(first["heard"]) == 4)
        of_orders = [each for each in first["heard"] if each[1] == "order.placed"]
        assert of_orders == [("lazy", "order.placed", n) for n in (2, 3, 4)]
        assert ("lazy", "user.created", 0) in first["heard"]

        await workshop.until(lambda: site.state("lazy") is PluginState.DORMANT)
        await publish(site, "order.paid", 5)
        await workshop.until(lambda: ("lazy", "order.paid", 5) in first["heard"])
        assert len(first["starts"]) == 2
        await workshop.until(lambda: site.state("lazy") is PluginState.DORMANT)


async def test_what_waits_in_the_log_at_a_start_of_the_application_starts_the_plugin(
    workshop: Any, first: dict[str, Any]
) -> None:
    use: dict[str, Any] = {
        "activation": ["on_event:order.*"],
        "events": {"subscribes": ["order.*"]},
    }
    workshop.plugin("lazy", hears("order.*", result="len(sys.first['starts']) > 1"), **use)
    async with workshop.running() as site:
        await publish(site, "order.placed", 1)
        await workshop.until(lambda: site.state("lazy") is PluginState.FAILED)
        assert first["heard"] == []
    async with workshop.running() as site:
        await workshop.until(lambda: first["heard"])
        assert first["heard"] == [("lazy", "order.placed", 1)]


async def test_transient_events_are_held_in_order_and_go_to_each_handler_once(
    workshop: Any, first: dict[str, Any]
) -> None:
    uses = ["on_event:order.*", "on_event:order.placed", "on_event:user.created"]
    workshop.plugin("lazy", hears("order.placed", "order.**"), activation=uses)
    async with workshop.running() as site:
        first["gate"].clear()
        await publish(site, "order.placed", 1)
        await publish(site, "order.paid", 2)
        await publish(site, "user.created", 3)
        await publish(site, "order.placed", 4)
        await workshop.until(lambda: first["starts"])
        [figures] = [
            each for each in site.app.bus.figures().subscriptions if each.pattern == "order.*"
        ]
        assert (figures.owner, figures.depth, figures.live) == ("lazy", 3, True)
        first["gate"].set()
        await workshop.until(lambda: len(first["heard"]) == 5)
        await publish(site, "order.paid", 5)
        await workshop.until(lambda: len(first["heard"]) == 6)
        heard = [(name, number) for _, name, number in first["heard"]]
        assert heard.count(("order.placed", 1)) == heard.count(("order.placed", 4)) == 2
        in_order = [number for name, number in heard if name == "order.placed"]
        assert in_order in ([1, 4, 1, 4], [1, 1, 4, 4])
        assert [number for name, number in heard if name == "order.paid"] == [2, 5]
        assert first["starts"] == ["lazy"]


async def test_a_request_on_the_bus_starts_its_provider_and_is_answered(
    workshop: Any, first: dict[str, Any]
) -> None:
    workshop.plugin("lazy", hears("lazy.quote"), activation=["on_event:lazy.quote"])
    workshop.plugin("deaf", hears(), activation=["on_event:deaf.quote"])
    async with workshop.running() as site:
        asking = site.app.bus.request("lazy.quote", {"n": 7}, source="nexus", timeout=60.0)
        assert await asking == {"got": 7}
        with pytest.raises(RequestFailed, match="no handler of this name"):
            await site.app.bus.request("deaf.quote", {"n": 7}, source="nexus", timeout=60.0)


async def test_what_comes_while_the_plugin_stops_starts_it_again(
    workshop: Any, first: dict[str, Any]
) -> None:
    body = """
    async def shutdown(self):
        sys.first["starts"].append("-")
        await sys.first["gate"].wait()
    """
    workshop.plugin(
        "lazy", hears("order.*") + body, activation=["on_event:order.*"], idle_stop=0.02
    )
    async with workshop.running() as site:
        await publish(site, "order.placed", 1)
        await workshop.until(lambda: first["heard"])
        first["gate"].clear()
        await workshop.until(lambda: "-" in first["starts"])
        await publish(site, "order.placed", 2)
        first["gate"].set()
        await workshop.until(lambda: len(first["heard"]) == 2)


async def test_what_cannot_be_handled_in_the_end_is_a_dead_letter_that_says_why(
    workshop: Any, first: dict[str, Any]
) -> None:
    workshop.plugin("bad", hears("order.*", result="False"), activation=["on_event:order.*"])
    workshop.plugin("slow", hears("user.*"), activation=["on_event:user.*"])
    async with workshop.running(startup={"first_use_timeout": 0.2}) as site:
        letters = site.app.bus.dead_letters
        await publish(site, "order.placed", 1, 2)
        await workshop.until(lambda: len(letters) == 2)
        assert {(each.owner, str(each.reason)) for each in letters.list()} == {
            ("bad", "not-started")
        }
        assert "'bad' is failed" in letters.list()[0].error
        assert site.state("bad") is PluginState.FAILED
        await publish(site, "order.placed", 3)
        assert len(letters) == 2  # as of any plugin that does not run

        first["gate"].clear()
        await publish(site, "user.created", 4)
        await workshop.until(lambda: len(letters) == 3)
        assert letters.list()[0].owner == "slow"
        first["gate"].set()
        await workshop.until(lambda: site.state("slow") is PluginState.RUNNING)
        await site.app.bus.replay(letters.list()[0].id)
        await workshop.until(lambda: ("slow", "user.created", 4) in first["heard"])


async def test_a_reload_of_a_sleeping_plugin_changes_what_starts_it(
    workshop: Any, first: dict[str, Any]
) -> None:
    workshop.plugin("lazy", hears("order.*"), activation=["on_event:order.*"])
    async with workshop.running() as site:
        workshop.plugin(
            "lazy",
            hears("user.*"),
            activation=["on_event:user.*"],
            events={"subscribes": ["user.*"]},
        )
        await site.api("POST", "/plugins/lazy/reload")
        assert site.state("lazy") is PluginState.DORMANT
        await publish(site, "order.placed", 1)
        await site.app.manager.settle()
        assert first["starts"] == []
        await publish(site, "user.created", 2)
        await workshop.until(lambda: first["heard"])
        assert first["heard"] == [("lazy", "user.created", 2)]
