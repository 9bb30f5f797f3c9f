"""Waiting for events."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from nexus.plugins import BasePlugin
from nexus.testing import (
    EventRecorder,
    advance_retries,
    app_for,
    expect_event,
    published,
    settle_events,
    wait_for_event,
)
from nexus.testing.harness import plugin_in

if TYPE_CHECKING:
    from nexus.app import NexusApp


class Speaker(BasePlugin):
    @override
    async def initialize(self) -> bool:
        return True


@pytest.fixture
async def app(greeter: Path) -> "AsyncIterator[NexusApp]":
    async with app_for(
        greeter, settings={"events": {"retry_delay": 60, "retry_max_delay": 60}}
    ) as app:
        yield app


async def test_an_expected_event_is_recorded(app: "NexusApp") -> None:
    async with expect_event(app, "user.*") as seen:
        await app.bus.publish("other.thing", source="test")
        await app.bus.publish("user.created", {"name": "Ada"}, source="test")
    assert [event.name for event in seen.events] == ["user.created"]
    assert seen.event.data["name"] == "Ada"


async def test_an_event_that_does_not_come_fails_and_names_what_came(app: "NexusApp") -> None:
    with pytest.raises(AssertionError, match=r"No event matched 'user\.deleted'.*user\.renamed"):
        async with expect_event(app, "user.deleted", timeout=0.05):
            await app.bus.publish("user.renamed", source="test")


async def test_as_many_events_are_waited_for_as_are_asked(app: "NexusApp") -> None:
    with pytest.raises(AssertionError, match="1 of 2 events matched"):
        async with expect_event(app, "user.renamed", count=2, timeout=0.05):
            await app.bus.publish("user.renamed", source="test")
    async with expect_event(app, "user.renamed", count=2) as seen:
        await app.bus.publish("user.renamed", source="test")
        await app.bus.publish("user.renamed", source="test")
    assert len(seen.events) == 2


async def test_waiting_takes_an_event_that_is_there_already(app: "NexusApp") -> None:
    first = await app.bus.publish("user.renamed", {"to": 1}, source="test")
    assert await wait_for_event(app, "user.renamed") is first
    latest = await app.bus.publish("user.renamed", {"to": 2}, source="test")
    assert await wait_for_event(app, "user.*") is latest
    with pytest.raises(AssertionError, match="No event matched"):
        await wait_for_event(app, "user.gone", timeout=0.01)


async def test_a_recorder_leaves_nothing_behind(app: "NexusApp") -> None:
    before = len(app.bus.figures().subscriptions)
    async with EventRecorder(app) as recorder:
        assert len(app.bus.figures().subscriptions) == before + 1
        with pytest.raises(AssertionError, match="No event"):
            _ = recorder.event
    assert len(app.bus.figures().subscriptions) == before


async def test_settling_waits_for_what_events_set_going(app: "NexusApp") -> None:
    await app.bus.publish("user.created", {"name": "Ada"}, source="test")
    await settle_events(app)
    assert [event.name for event in app.bus.recent.list(pattern="greeter.*")] == ["greeter.greeted"]


async def test_a_retry_can_be_had_at_once(app: "NexusApp") -> None:
    await app.bus.publish("user.created", {"name": "Ada", "works_at_attempt": 2}, source="test")
    assert await advance_retries(app) == 1
    assert (await wait_for_event(app, "greeter.greeted")).data["name"] == "Ada"
    await settle_events(app)
    assert await advance_retries(app) == 0


async def test_settling_in_a_hurry_goes_through_all_retries(app: "NexusApp") -> None:
    await app.bus.publish("user.created", {"name": "Ada", "works_at_attempt": 99}, source="test")
    with pytest.raises(AssertionError, match=r"still in hand: greeter \(user\.created\)"):
        await settle_events(app, timeout=0.05)
    await settle_events(app, hurry=True)
    assert [letter.attempts for letter in app.bus.dead_letters.list()] == [3]


async def test_the_events_of_a_detached_plugin_are_kept() -> None:
    speaker = Speaker()
    async with expect_event(speaker, "speaker.*") as seen:
        event = await speaker.publish_event("speaker.spoke", {"words": 1})
    await speaker.publish_event("speaker.stopped")
    assert seen.events == [event]
    assert [each.name for each in published(speaker)] == ["speaker.spoke", "speaker.stopped"]
    assert await wait_for_event(speaker, "speaker.*") is published(speaker)[1]


async def test_a_plugin_in_an_application_is_refused_where_a_detached_one_is_meant(
    app: "NexusApp",
) -> None:
    with pytest.raises(TypeError, match="Pass the application"):
        published(plugin_in(app, "greeter"))
