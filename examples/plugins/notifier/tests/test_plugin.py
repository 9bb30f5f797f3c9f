"""The feed, and how events become messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nexus.events import Event
from nexus.testing import published
from plugins.notifier.plugin import NotifierPlugin
from plugins.notifier.stream import Streams
from plugins.notifier.wording import words_for

MakePlugin = Callable[..., Awaitable[NotifierPlugin]]


@pytest.fixture
async def plugin(make_plugin: MakePlugin) -> NotifierPlugin:
    plugin = await make_plugin(NotifierPlugin, config={"capacity": 10})
    assert await plugin.initialize() is True
    return plugin


async def take(plugin: NotifierPlugin, name: str, **data: Any) -> Event:
    event = Event(name, data, name.partition(".")[0])
    await plugin._take(event)  # noqa: SLF001 - the handler, as the bus would call it
    return event


async def test_an_event_becomes_a_message(plugin: NotifierPlugin) -> None:
    await take(plugin, "tasks.created", title="Read", tags=["fun"])
    (message,) = await plugin.feed.messages()
    assert (message.title, message.body, message.source) == (
        "Task added: Read",
        "Tags: fun",
        "tasks",
    )
    assert [event.name for event in published(plugin)] == ["notifier.notified"]


async def test_an_event_that_comes_twice_is_told_once(plugin: NotifierPlugin) -> None:
    event = await take(plugin, "tasks.created", title="Read")
    await plugin._take(event)  # noqa: SLF001 - a retry, as the bus would make it
    assert len(await plugin.feed.messages()) == 1


async def test_a_muted_event_is_counted_and_not_kept(plugin: NotifierPlugin) -> None:
    await take(plugin, "weather_station.reading", temperature=20.0)
    assert await plugin.feed.messages() == []
    assert plugin.received == {"weather_station.reading": 1}


async def test_the_oldest_messages_make_room(plugin: NotifierPlugin) -> None:
    for number in range(15):
        await plugin.feed.notify(f"Message {number}")
    assert [message.id for message in await plugin.feed.messages()] == list(range(6, 16))


async def test_messages_are_read_one_by_one_or_all_at_once(plugin: NotifierPlugin) -> None:
    first = await plugin.feed.notify("One")
    await plugin.feed.notify("Two")
    assert await plugin.feed.mark_read(first) == 1
    assert await plugin.feed.mark_read(first) == 0
    assert await plugin.feed.mark_read() == 1


async def test_a_level_that_there_is_not_is_refused(plugin: NotifierPlugin) -> None:
    with pytest.raises(ValueError, match="level is one of info, warning, critical"):
        await plugin.feed.notify("Oh", level="loud")  # type: ignore[arg-type] # what is tested


@pytest.mark.parametrize(
    ("name", "data", "title", "level"),
    [
        ("tasks.completed", {"title": "Read"}, "Task done: Read", "info"),
        ("weather_station.alert", {"message": "Cold."}, "Weather alert", "warning"),
        ("user.created", {"username": "ada"}, "Welcome, ada", "info"),
        ("my_awesome_plugin.initialized", {}, "My awesome plugin: initialized", "info"),
        ("tasks.archived", {"x": 1}, "Tasks: archived", "info"),
        ("user.created", {}, "Welcome, new user", "info"),
    ],
)
def test_events_are_put_into_words(name: str, data: dict[str, Any], title: str, level: str) -> None:
    assert words_for(Event(name, data))[::2] == (title, level)


async def test_a_stream_gives_what_was_missed_and_then_what_comes(plugin: NotifierPlugin) -> None:
    for title in ("One", "Two"):
        await plugin.feed.notify(title)
    stream = plugin.streams.follow(plugin.feed, 1, serves=lambda: True, seconds=60)
    assert (await anext(stream)).comment == "connected"
    assert (await anext(stream)).id == "2"
    waiting = asyncio.create_task(anext(stream))
    await plugin.feed.notify("Three")
    assert (await waiting).data.title == "Three"
    assert plugin.streams.count == 1
    await stream.aclose()
    assert plugin.streams.count == 0


async def test_streams_end_when_the_plugin_shuts_down(plugin: NotifierPlugin) -> None:
    stream = plugin.streams.follow(plugin.feed, 0, serves=lambda: True, seconds=60)
    await anext(stream)
    rest = asyncio.create_task(_rest(stream))
    await plugin.shutdown()
    assert await rest == []


@pytest.mark.parametrize(("serves", "seconds"), [(False, 60.0), (True, 0.0)])
async def test_a_stream_ends_when_it_must_or_is_old(
    plugin: NotifierPlugin, serves: bool, seconds: float
) -> None:
    streams = Streams()
    stream = streams.follow(plugin.feed, 0, serves=lambda: serves, seconds=seconds)
    assert len(await _rest(stream)) == 1


async def _rest(stream: Any) -> list[Any]:
    return [event async for event in stream]
