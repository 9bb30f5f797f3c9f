"""What somebody who looks on gets to see, and what that costs the bus."""

import asyncio

import pytest

from nexus.errors import EventPatternInvalid
from nexus.events import EventBus
from nexus.events.event import Event
from nexus.events.feed import Feed


def names(feed_of: list[Event | None]) -> list[str | None]:
    return [None if each is None else each.name for each in feed_of]


async def test_a_feed_gives_the_events_that_it_was_asked_for_in_order() -> None:
    feed = Feed("user.*")
    for name in ("user.a", "order.a", "user.b", "user.b.c"):
        feed.offer(Event(name))
    assert [(await feed.take()).event.name for _ in range(2)] == ["user.a", "user.b"]  # type: ignore[union-attr]
    waiting = asyncio.ensure_future(feed.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.offer(Event("user.c"))
    assert names([(await waiting).event]) == ["user.c"]


async def test_who_does_not_keep_up_loses_the_oldest_events_and_is_told_how_many() -> None:
    feed = Feed(limit=3)
    for number in range(10):
        feed.offer(Event(f"n{number}"))
    first = await feed.take()
    assert (names([first.event]), first.dropped) == (["n7"], 7)
    second = await feed.take()
    assert (names([second.event]), second.dropped) == (["n8"], 0)


async def test_a_feed_ends_after_its_last_event_whether_that_was_asked_for_or_not() -> None:
    for pattern, seen in (("**", ["a", "the.end", None]), ("a", ["a", None, None])):
        feed = Feed(pattern, last="the.end")
        for name in ("a", "the.end", "a"):
            feed.offer(Event(name))
        assert names([(await feed.take()).event for _ in range(3)]) == seen


async def test_somebody_who_waits_is_woken_by_the_end() -> None:
    feed = Feed("a", last="the.end")
    waiting = asyncio.ensure_future(feed.take())
    await asyncio.sleep(0)
    feed.offer(Event("the.end"))
    assert (await waiting).event is None


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(EventPatternInvalid):
        Feed("a..b")


async def test_events_and_requests_of_the_bus_are_watched_until_nobody_does() -> None:
    async with EventBus() as bus:

        async def answer(_event: Event) -> str:
            return "yes"

        bus.attach([bus.subscription("ask.me", answer, owner="x")])
        feed, other = Feed(), Feed()
        unwatched = bus.recent.add
        bus.watch(feed.offer)
        bus.watch(other.offer)
        await bus.publish("one", source="x")
        bus.unwatch(other.offer)
        await bus.request("ask.me", source="x")
        seen = [(await feed.take()).event for _ in range(2)]
        assert names(seen) == ["one", "ask.me"]
        assert bus.recent.list() == seen[::-1]
        bus.unwatch(feed.offer)
        assert not bus.recent.is_watched
        assert bus.recent.add == unwatched  # the ring's own again, which costs least
        await bus.publish("two", source="x")
        assert [each.name for each in bus.recent.list(limit=1)] == ["two"]
        waiting = asyncio.ensure_future(feed.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_recent_events_are_found_by_id_and_by_their_piece_of_work() -> None:
    async with EventBus() as bus:
        one = await bus.publish("one", source="x")
        two = await bus.publish("two", source="x", correlation_id=one.id)
        await bus.publish("three", source="x")
        assert bus.recent.find(two.id) is two
        assert bus.recent.find("nothing") is None
        assert bus.recent.related(one.id) == [one, two]
