import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from nexus.events import BusSettings, Event, EventBus
from nexus.plugins.announcer import Announcer
from nexus.plugins.state import PluginState, PluginStatus


def status(state: PluginState, *, generation: int = 0, reason: str = "") -> PluginStatus:
    return PluginStatus(
        name="foo", state=state, reason=reason, since=datetime.now(UTC), generation=generation
    )


@pytest.fixture
async def bus() -> AsyncIterator[EventBus]:
    async with EventBus(BusSettings(publish_timeout=0.01)) as made:
        yield made


async def test_events_go_out_in_order_and_all_before_the_end(bus: EventBus) -> None:
    seen: list[str] = []

    async def handler(event: Event) -> None:
        await asyncio.sleep(0)
        seen.append(event.name)

    bus.attach([bus.subscription("system.**", handler, owner="test")])
    announcer = Announcer(bus)
    announcer.start()
    for number in range(20):
        announcer.announce(f"system.n{number}", {"n": number})
    await announcer.stop()
    await bus.join()
    assert seen == [f"system.n{number}" for number in range(20)]


async def test_a_new_state_and_a_new_generation_are_told_and_nothing_else(bus: EventBus) -> None:
    announcer = Announcer(bus)
    announcer.start()
    running = status(PluginState.RUNNING, generation=1)
    announcer.status_changed(status(PluginState.STARTING), running)
    announcer.status_changed(running, status(PluginState.RUNNING, generation=1, reason="x"))
    announcer.status_changed(running, status(PluginState.RUNNING, generation=2))
    announcer.status_changed(running, status(PluginState.FAILED, reason="no wire"))
    await announcer.stop()
    events = bus.recent.list(pattern="plugin.*", limit=10)[::-1]
    assert [each.name for each in events] == ["plugin.running", "plugin.running", "plugin.failed"]
    assert [each.data["generation"] for each in events] == [1, 2, 0]
    assert events[0].data["before"] == "starting"
    assert events[2].data["reason"] == "no wire"
    assert {each.source for each in events} == {"nexus"}


async def test_an_event_that_cannot_go_out_is_logged_and_the_next_one_goes(
    bus: EventBus, caplog: pytest.LogCaptureFixture
) -> None:
    announcer = Announcer(bus)
    announcer.start()
    announcer.announce("no name", {})
    announcer.announce("system.fine", {})
    await announcer.stop()
    assert [each.name for each in bus.recent.list(pattern="**", limit=5)] == ["system.fine"]
    assert "was not published" in caplog.text


async def test_an_announcer_that_never_began_may_stop(bus: EventBus) -> None:
    await Announcer(bus).stop()
