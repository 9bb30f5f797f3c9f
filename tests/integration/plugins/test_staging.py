"""What a generation contributes goes live in one step, or never."""

import asyncio
import sys
from typing import Any

import pytest

from nexus.events import Event
from nexus.plugins import PluginState


def spy(site: Any, pattern: str) -> list[Event]:
    """Collect the events that match, as a subscription of the platform's would."""
    seen: list[Event] = []

    async def handler(event: Event) -> None:
        seen.append(event)

    subscription = site.app.bus.subscription(pattern, handler, owner="nexus")
    site.app.bus.attach([subscription])
    return seen


def live(app: Any, pattern: str) -> int:
    return sum(each.live and each.pattern == pattern for each in app.bus.figures().subscriptions)


HOLDS = """
    async def initialize(self):
        self.ids = [(await self.publish_event("held.one", {"n": n})).id for n in range(3)]
        await self.subscribe_to_event("ask.me", self.on_ask)
        self.register_service("held.api", self)
        sys.before = (self.get_service("held.api") is self)
        await GATE.wait()
        if FAILS:
            raise RuntimeError("no")
        return True

    async def on_ask(self, event):
        return {"n": 1}
"""


@pytest.fixture
def gate() -> Any:
    sys.gate = asyncio.Event()  # type: ignore[attr-defined]  # where the plugin finds it
    yield sys.gate  # type: ignore[attr-defined]
    del sys.gate  # type: ignore[attr-defined]


@pytest.mark.parametrize("fails", [False, True])
async def test_events_services_and_subscriptions_of_a_staged_generation_go_live_together_or_never(
    workshop: Any, gate: asyncio.Event, *, fails: bool
) -> None:
    workshop.plugin("held", HOLDS, top=f"GATE = sys.gate\nFAILS = {fails}", says=1)
    app = workshop.app()
    await app.startup()
    try:
        site = type("Site", (), {"app": app})()
        seen = spy(site, "held.one")
        controller = app.manager.controller("held")
        await workshop.until(lambda: hasattr(sys, "before"))
        assert sys.before  # type: ignore[attr-defined] # a staged generation finds its own services
        assert (seen, app.services.offers(), live(app, "ask.me")) == ([], (), 0)
        assert "held" not in app.dispatcher.live
        gate.set()
        await app.ready()
        await app.bus.join()
        if fails:
            assert (seen, app.services.offers(), live(app, "ask.me")) == ([], (), 0)
            assert "held" not in app.dispatcher.live
        else:
            plugin = controller.live.hosted.plugin
            assert [event.id for event in seen] == plugin.ids
            assert [event.data["n"] for event in seen] == [0, 1, 2]
            assert app.services.find("held.api") is plugin
            assert live(app, "ask.me") == 1
            assert "held" in app.dispatcher.live
    finally:
        del sys.before  # type: ignore[attr-defined]
        await app.shutdown()


async def test_what_is_published_while_held_events_go_out_comes_after_them(workshop: Any) -> None:
    body = """
    async def initialize(self):
        for n in range(5):
            await self.publish_event("early.n", {"n": n})
        await self.subscribe_to_event("early.n", self.on_n, mailbox_size=1)
        self.create_task(self.later())
        return True

    async def later(self):
        while self.get_metrics()["uptime"] == 0:
            await asyncio.sleep(0)
        await self.publish_event("early.n", {"n": 5})

    async def on_n(self, event):
        await asyncio.sleep(0)
        sys.seen.append(event.data["n"])
    """
    sys.seen = []  # type: ignore[attr-defined]
    workshop.plugin("early", body)
    async with workshop.running() as site:
        await workshop.until(lambda: len(sys.seen) == 6)  # type: ignore[attr-defined]
        assert sys.seen == [0, 1, 2, 3, 4, 5]  # type: ignore[attr-defined]
        assert site.state("early") is PluginState.RUNNING


async def test_two_plugins_that_offer_one_service_name_each_other(workshop: Any) -> None:
    body = """
    async def initialize(self):
        self.register_service("mail", self)
        return True
    """
    workshop.plugin("first", body)
    workshop.plugin("second", body)
    async with workshop.running() as site:
        states = {name: site.state(name) for name in ("first", "second")}
        assert sorted(states.values()) == [PluginState.FAILED, PluginState.RUNNING]
        [loser] = [name for name, state in states.items() if state is PluginState.FAILED]
        assert "'first'" in site.reason(loser)
        assert "'second'" in site.reason(loser)
        [offer] = site.app.services.offers()
        assert offer.owner != loser
        # The name becomes free with its holder, and then the other one can have it.
        await site.app.manager.disable(offer.owner)
        assert (await site.app.manager.enable(loser)).state is PluginState.RUNNING


async def test_a_conflict_at_commit_changes_nothing(workshop: Any, gate: asyncio.Event) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("x.y", self.on)
        self.register_service("mail", self)
        await sys.gate.wait()
        return True

    async def on(self, event):
        pass
    """
    workshop.plugin("one", body, says=1)
    workshop.plugin("two", body, says=2)
    app = workshop.app()
    await app.startup()
    try:
        for name in ("one", "two"):  # both are staged now: neither is live
            controller = app.manager.controller(name)
            await workshop.until(lambda each=controller: each.status.state is PluginState.STARTING)
        gate.set()
        await app.ready()
        states = sorted(app.manager.status(name).state for name in ("one", "two"))
        assert states == [PluginState.FAILED, PluginState.RUNNING]
        assert live(app, "x.y") == 1
        assert len(app.dispatcher.live) == 1
    finally:
        await app.shutdown()


async def test_a_failed_start_discards_what_its_shutdown_writes_and_publishes(
    workshop: Any,
) -> None:
    body = """
    async def initialize(self):
        await self.set_data("during", 1)
        raise RuntimeError("no")

    async def shutdown(self):
        await self.set_data("after", 1)
        await self.set_config("after", 1)
        await self.delete_data("during")
        await self.publish_event("doomed.after")
        sys.doomed = True
    """
    workshop.plugin("doomed", body)
    async with workshop.running() as site:
        await site.app.bus.join()
        assert sys.doomed  # type: ignore[attr-defined]
        del sys.doomed  # type: ignore[attr-defined]
        assert await site.app.store.items("data:doomed") == {"during": 1}
        assert await site.app.store.items("config/doomed") == {}
        assert not site.app.bus.recent.list(pattern="doomed.**", limit=10)


async def test_shutdown_of_a_live_generation_can_write_and_publish(workshop: Any) -> None:
    body = """
    async def shutdown(self):
        await self.set_data("after", 1)
        await self.publish_event("polite.after")
    """
    workshop.plugin("polite", body)
    async with workshop.running() as site:
        seen = spy(site, "polite.after")
        await site.app.manager.disable("polite")
        await site.app.bus.join()
        assert [event.name for event in seen] == ["polite.after"]
        assert await site.app.store.items("data:polite") == {"after": 1}


async def test_a_generation_that_has_ended_is_refused_by_its_context(workshop: Any) -> None:
    from nexus.errors import ContextClosed

    workshop.plugin("ends")
    async with workshop.running() as site:
        plugin = site.plugin("ends")
        await site.app.manager.disable("ends")
        calls: list[Any] = [
            lambda: plugin.publish_event("ends.x"),
            lambda: plugin.get_data("x"),
            lambda: plugin.set_data("x", 1),
            lambda: plugin.delete_data("x"),
            lambda: plugin.get_config("x"),
            lambda: plugin.set_config("x", 1),
            lambda: plugin.subscribe_to_event("x", print),
            lambda: plugin.unsubscribe_from_event("x", print),
            lambda: plugin.request("ends.x"),
        ]
        for call in calls:
            with pytest.raises(ContextClosed, match="after its shutdown"):
                await call()
        plain_calls: list[Any] = [
            lambda: plugin.get_service("x"),
            lambda: plugin.require_service("x"),
            lambda: plugin.register_service("x", 1),
            lambda: plugin.service_ref("x"),
            lambda: plugin.create_task(asyncio.sleep(0)),
        ]
        for plain in plain_calls:
            with pytest.raises(ContextClosed):
                plain()


async def test_a_start_that_waits_for_its_own_task_says_why_it_never_ends(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.create_task(asyncio.sleep(0), name="warm_up")
        return True
    """
    workshop.plugin("foo", body)
    async with workshop.running(startup={"timeout": 0.3}) as site:
        assert site.state("foo") is PluginState.FAILED
        assert "initialize() must not wait for them: warm_up" in site.reason("foo")
