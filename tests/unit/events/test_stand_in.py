import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nexus.errors import PluginNotRunning, RequestFailed
from nexus.events import Event, EventBus
from nexus.events.stand_in import StandIn, give

GONE = PluginNotRunning(name="shop", state="failed", reason="no such account")


def stand_in(bus: EventBus, pattern: str, rings: list[str] | None = None) -> StandIn:
    subscription = bus.stand_in(
        pattern,
        owner="shop",
        besides=(),
        ring=lambda: None if rings is None else rings.append(pattern),
    )
    bus.attach([subscription])
    assert isinstance(subscription.mailbox, StandIn)
    return subscription.mailbox


async def publish(bus: EventBus, *names: str) -> None:
    for name in names:
        await bus.publish(name, source="test")


async def test_it_holds_events_handles_none_and_rings(make_bus: Callable[..., EventBus]) -> None:
    bus, rings = make_bus(), list[str]()
    held = stand_in(bus, "order.*", rings)
    await publish(bus, "order.placed", "user.created", "order.paid")
    assert len(held.queue) == 2
    assert set(rings) == {"order.*"}
    assert not held.quiet
    assert [each.name for each in held.take()] == ["order.placed", "order.paid"]
    assert held.quiet
    assert held.workers == set()


async def test_publishers_wait_for_room_and_go_on_when_the_events_are_taken(
    make_bus: Callable[..., EventBus],
) -> None:
    bus = make_bus(mailbox_size=2, publish_timeout=60.0)
    held = stand_in(bus, "order.*")
    await publish(bus, "order.a", "order.b")
    waiting = asyncio.create_task(publish(bus, "order.c"))
    await asyncio.sleep(0)
    assert not waiting.done()
    taken = held.take()
    await waiting
    assert [each.name for each in taken] == ["order.a", "order.b", "order.c"]


async def test_beyond_its_bounds_events_become_dead_letters_as_of_any_mailbox(
    make_bus: Callable[..., EventBus],
) -> None:
    bus = make_bus(mailbox_size=1)
    stand_in(bus, "order.*")
    await publish(bus, "order.a", "order.b")
    [letter] = bus.dead_letters.list()
    assert (letter.event.name, str(letter.reason)) == ("order.b", "mailbox-full")


async def test_what_is_given_up_is_a_dead_letter_and_what_came_later_is_kept(
    make_bus: Callable[..., EventBus],
) -> None:
    bus = make_bus()
    held = stand_in(bus, "order.*")
    await publish(bus, "order.a", "order.b", "order.c")
    first, second, third = held.take()
    for event in (first, second, third):
        held.put(event)
    assert held.give_up(GONE, until=second.time_ns) in (third.time_ns, None)
    names = {each.event.name for each in bus.dead_letters.list()}
    assert names >= {"order.a", "order.b"}
    assert held.give_up(GONE) is None
    assert len(bus.dead_letters) == 3
    assert all("no such account" in each.error for each in bus.dead_letters.list())
    assert len(held.queue) == 0


async def test_a_question_is_refused_when_it_is_given_up(
    make_bus: Callable[..., EventBus],
) -> None:
    bus = make_bus()
    held = stand_in(bus, "order.total")
    asking = asyncio.create_task(bus.request("order.total", source="test", timeout=60.0))
    await asyncio.sleep(0)
    held.give_up(GONE)
    with pytest.raises(RequestFailed, match="no such account"):
        await asking
    assert len(bus.dead_letters) == 0


async def test_what_was_held_goes_to_each_that_wants_it_and_the_rest_is_counted(
    make_bus: Callable[..., EventBus],
) -> None:
    bus, heard = make_bus(mailbox_size=1), list[tuple[str, str]]()

    def handler(name: str) -> Any:
        async def handle(event: Event) -> str:
            heard.append((name, event.name))
            return name

        return handle

    held = stand_in(bus, "order.**")
    asked = stand_in(bus, "order.total")
    asking = asyncio.create_task(bus.request("order.total", source="test", timeout=60.0))
    await asyncio.sleep(0)
    await publish(bus, "order.a")
    live = [
        bus.subscription(pattern, handler(pattern), owner="shop")
        for pattern in ("order.*", "order.a", "order.total")
    ]
    bus.attach(live)
    mailboxes = [each.mailbox for each in live]
    assert give(asked.take(), mailboxes) == 0
    assert give([*held.take(), Event("user.created")], mailboxes) == 1
    assert await asking == "order.total"
    await bus.join(60.0)
    assert sorted(heard) == [
        ("order.*", "order.a"),
        ("order.a", "order.a"),
        ("order.total", "order.total"),
    ]
