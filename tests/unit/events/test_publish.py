import asyncio
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from nexus.errors import BusNotRunning, EventDataReadOnly, EventNameInvalid, EventTooLarge
from nexus.events import (
    DeadReason,
    Event,
    EventBus,
    Handler,
    Subscription,
    SubscriptionOptions,
)
from nexus.events.runs import RUN_LIMIT


def number(event: Event) -> int:
    found: int = event.data["n"]
    return found


def collector(into: list[Any], *, of: Callable[[Event], object] = number) -> Handler:
    async def handler(event):
        into.append(of(event))

    return handler


def gated(gate: asyncio.Event, into: list[int]) -> Handler:
    async def handler(event):
        await gate.wait()
        into.append(event.data["n"])

    return handler


async def test_every_matching_subscription_has_every_event_in_order(bus):
    seen: list[list[int]] = [[], [], []]
    for into, pattern in zip(seen, ["a.b", "a.*", "**"], strict=True):
        bus.attach([bus.subscription(pattern, collector(into), owner="p")])
    for n in range(3 * RUN_LIMIT):
        await bus.publish("a.b" if n % 3 else "a.c", {"n": n}, source="p")
    await bus.join()
    assert seen[0] == [n for n in range(3 * RUN_LIMIT) if n % 3]
    assert seen[1] == seen[2] == list(range(3 * RUN_LIMIT))


async def test_an_event_after_a_pause_arrives_too(bus):
    seen: list[int] = []
    bus.attach([bus.subscription("a", collector(seen), owner="p")])
    for n in range(5):
        await bus.publish("a", {"n": n}, source="p")
        await bus.join()
        assert seen == list(range(n + 1))


async def test_a_publisher_that_does_not_rest_lets_handlers_have_the_loop(bus):
    seen: list[int] = []
    bus.attach([bus.subscription("a", collector(seen), owner="p")])
    for n in range(3 * RUN_LIMIT):
        await bus.publish("a", {"n": n}, source="p")
    assert len(seen) >= RUN_LIMIT


async def test_a_handler_cannot_change_what_another_one_reads(bus):
    seen: list[dict[str, int]] = []

    async def changes(event):
        event.data["n"] = 2

    options = SubscriptionOptions(priority=1, max_attempts=1)
    bus.attach(
        [
            bus.subscription("a", changes, owner="p", options=options),
            bus.subscription("a", collector(seen, of=lambda e: dict(e.data)), owner="p"),
        ]
    )
    data = {"n": 1}
    await bus.publish("a", data, source="p")
    data["n"] = 3
    await bus.join()
    assert seen == [{"n": 1}]
    assert "dict(event.data)" in EventDataReadOnly().render()
    assert bus.dead_letters.list()[0].error.startswith("EventDataReadOnly")


async def test_events_of_different_names_keep_their_order(bus):
    seen: list[str] = []
    bus.attach(
        [
            bus.subscription("**", collector(seen, of=lambda e: e.name), owner="p"),
            bus.subscription("a", collector([], of=lambda e: e.name), owner="p"),
        ]
    )
    names = ["a", "a", "b", "a", "b", "b", "a"]
    for name in names:
        await bus.publish(name, source="p")
    await bus.join()
    assert seen == names


async def test_publishing_does_not_wait_for_handlers(bus):
    gate, seen = asyncio.Event(), list[int]()
    bus.attach([bus.subscription("a", gated(gate, seen), owner="p")])
    await bus.publish("a", {"n": 1}, source="p")
    assert seen == []
    gate.set()
    await bus.join()
    assert seen == [1]


async def test_one_at_a_time_unless_more_is_asked_for(bus):
    at_once = {"one": 0, "four": 0}
    most = dict(at_once)

    def counting(kind: str) -> Handler:
        async def handler(_event):
            at_once[kind] += 1
            most[kind] = max(most[kind], at_once[kind])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            at_once[kind] -= 1

        return handler

    bus.attach(
        [
            bus.subscription("a", counting("one"), owner="p"),
            bus.subscription(
                "a", counting("four"), owner="p", options=SubscriptionOptions(concurrency=4)
            ),
        ]
    )
    for _ in range(50):
        await bus.publish("a", source="p")
    await bus.join()
    assert most == {"one": 1, "four": 4}
    assert [figures.delivered for figures in bus.figures().subscriptions] == [50, 50]


async def test_four_at_a_time_work_as_soon_as_there_are_four_events(bus):
    started, gate = asyncio.Semaphore(0), asyncio.Event()

    async def handler(_event):
        started.release()
        await gate.wait()

    options = SubscriptionOptions(concurrency=4)
    bus.attach([bus.subscription("a", handler, owner="p", options=options)])
    for _ in range(6):
        await bus.publish("a", source="p")
    for _ in range(4):
        await started.acquire()
    assert bus.figures().subscriptions[0].in_hand == 4
    assert bus.figures().subscriptions[0].depth == 2
    gate.set()
    await bus.join()
    assert bus.figures().subscriptions[0].delivered == 6


async def test_a_hanging_handler_delays_no_other(bus, until):
    seen: list[int] = []
    bus.attach(
        [
            bus.subscription("a", gated(asyncio.Event(), []), owner="hanging"),
            bus.subscription("a", collector(seen), owner="p"),
        ]
    )
    for n in range(10):
        await bus.publish("a", {"n": n}, source="p")
    await until(lambda: not (len(seen) < 10))
    assert seen == list(range(10))


async def test_a_busy_handler_lets_others_have_the_loop(bus):
    order: list[str] = []
    bus.attach(
        [
            bus.subscription("a", collector(order, of=lambda _: "one"), owner="p"),
            bus.subscription("a", collector(order, of=lambda _: "two"), owner="p"),
        ]
    )
    for _ in range(4 * RUN_LIMIT):
        await bus.publish("a", source="p")
    await bus.join()
    assert order[: 2 * RUN_LIMIT + 2].count("two") >= RUN_LIMIT // 2


async def test_priority_decides_who_has_an_event_first_then_age(bus: EventBus):
    order: list[str] = []

    def make(name: str, priority: int) -> Subscription:
        return bus.subscription(
            "a",
            collector(order, of=lambda _: name),
            owner="p",
            options=SubscriptionOptions(priority=priority),
        )

    bus.attach([make("low", -1), make("old", 0), make("young", 0), make("high", 9)])
    await bus.publish("a", source="p")
    await bus.join()
    assert order == ["high", "old", "young", "low"]


async def test_a_full_mailbox_makes_the_publisher_wait(make_bus, until):
    bus = make_bus(mailbox_size=2, publish_timeout=60)
    gate, seen = asyncio.Event(), list[int]()
    bus.attach([bus.subscription("a", gated(gate, seen), owner="p")])
    await bus.publish("a", {"n": 0}, source="p")
    await asyncio.sleep(0)  # The worker takes it in hand.
    for n in (1, 2):
        await bus.publish("a", {"n": n}, source="p")
    blocked = [asyncio.create_task(bus.publish("a", {"n": n}, source="p")) for n in (3, 4)]
    await until(lambda: not (bus.figures().subscriptions[0].blocked < 2))
    assert not any(task.done() for task in blocked)
    gate.set()
    await asyncio.gather(*blocked)
    await bus.join()
    assert seen == [0, 1, 2, 3, 4]


async def test_a_publisher_is_let_in_while_the_handler_still_works(make_bus, until):
    bus = make_bus(mailbox_size=1, publish_timeout=60)
    steps = asyncio.Semaphore(0)

    async def handler(_event):
        await steps.acquire()

    bus.attach([bus.subscription("a", handler, owner="p")])
    await bus.publish("a", source="p")
    await asyncio.sleep(0)
    await bus.publish("a", source="p")
    blocked = asyncio.create_task(bus.publish("a", source="p"))
    await until(lambda: bool(bus.figures().subscriptions[0].blocked))
    steps.release()
    await blocked  # The second event is in hand now, the third has its place.
    assert bus.figures().subscriptions[0].in_hand == 1
    for _ in range(2):
        steps.release()


async def test_a_full_mailbox_does_not_keep_the_event_from_others(make_bus, until):
    bus = make_bus(mailbox_size=1, publish_timeout=60)
    seen: list[int] = []
    bus.attach(
        [
            bus.subscription(
                "a",
                gated(asyncio.Event(), []),
                owner="full",
                options=SubscriptionOptions(priority=1),
            ),
            bus.subscription("a", collector(seen), owner="p"),
        ]
    )
    await bus.publish("a", {"n": 0}, source="p")
    await asyncio.sleep(0)
    await bus.publish("a", {"n": 1}, source="p")
    blocked = asyncio.create_task(bus.publish("a", {"n": 2}, source="p"))
    await until(lambda: not (2 not in seen))
    assert not blocked.done()
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked
    assert [each.reason for each in bus.dead_letters.list()] == [DeadReason.PUBLISHER_CANCELLED]


async def test_what_finds_no_room_in_time_is_dead_lettered_counted_and_logged(make_bus, caplog):
    bus = make_bus(mailbox_size=1, publish_timeout=0.001)
    bus.attach([bus.subscription("a", gated(asyncio.Event(), []), owner="full")])
    await bus.publish("a", {"n": 0}, source="p")
    await asyncio.sleep(0)
    await bus.publish("a", {"n": 1}, source="p")
    lost = await bus.publish("a", {"n": 2}, source="p")
    (letter,) = bus.dead_letters.list()
    assert (letter.event, letter.owner, letter.pattern) == (lost, "full", "a")
    assert letter.reason is DeadReason.MAILBOX_FULL
    assert bus.figures().subscriptions[0].dead_lettered == 1
    assert bus.figures().subscriptions[0].blocked == 0
    (record,) = [r for r in caplog.records if r.msg == "event became a dead letter"]
    assert record.__dict__["plugin"] == "full"


async def test_a_handler_that_fills_its_own_mailbox_does_not_hang(make_bus):
    bus = make_bus(mailbox_size=1, publish_timeout=0.001)
    handled = []

    async def echo(event):
        handled.append(event.name)
        if len(handled) < 5:
            await bus.publish("a", source="p")
            await bus.publish("a", source="p")

    bus.attach([bus.subscription("a", echo, owner="p")])
    await bus.publish("a", source="p")
    assert await bus.join(30)
    assert len(bus.dead_letters) > 0


async def test_what_nobody_wants_is_published_all_the_same(bus):
    event = await bus.publish("nobody.cares", source="p")
    assert bus.recent.list() == [event]
    assert bus.figures().published == 1


async def test_a_name_that_is_none_is_refused(bus):
    with pytest.raises(EventNameInvalid):
        await bus.publish("a.*", source="p")


async def test_an_event_that_was_made_before_goes_out_as_it_is(bus):
    seen: list[Event] = []
    bus.attach([bus.subscription("*", collector(seen, of=lambda e: e), owner="p")])
    held = Event("a", {"n": 1}, "p")
    await bus.publish("b", source="p")
    await bus.deliver(held)
    await bus.deliver(Event("nobody.cares"))
    await bus.publish("c", source="p")
    await bus.join()
    assert [event.name for event in seen] == ["b", "a", "c"]
    assert seen[1] is held
    assert bus.figures().published == 4


async def test_a_bus_that_does_not_run_refuses():
    bus = EventBus()
    for _ in range(2):
        with pytest.raises(BusNotRunning, match="publishing 'a'"):
            await bus.publish("a", source="p")
        with pytest.raises(BusNotRunning):
            await bus.request("a", source="p")
        with pytest.raises(BusNotRunning):
            await bus.replay("x")
        await bus.start()
        await bus.publish("a", source="p")
        await bus.stop()


async def test_a_handler_sees_the_context_that_the_subscriber_gave(bus):
    variable: ContextVar[str] = ContextVar("variable", default="outside")
    seen: list[str] = []
    context = copy_context()
    context.run(variable.set, "the plugin's")
    handler = collector(seen, of=lambda _: variable.get())
    bus.attach([bus.subscription("a", handler, owner="p", context=context)])
    variable.set("the publisher's")
    await bus.publish("a", source="p")
    await bus.join()
    assert seen == ["the plugin's"]


async def test_something_that_cannot_be_called_is_no_handler(bus):
    with pytest.raises(TypeError, match="called with the event"):
        bus.subscription("a", "not callable", owner="p")


async def test_idle_subscriptions_cost_no_task(bus):
    before = len(asyncio.all_tasks())
    bus.attach([bus.subscription(f"a.{n}", collector([]), owner="p") for n in range(1000)])
    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize(
    "data",
    [
        {"text": "x" * 70_000},
        {"k" * 70_000: 1},
        {"text": "ä" * 40_000},
        {"numbers": [0.123456789] * 10_000},
        {"deep": [[{"n": 10**20}] * 1000] * 5},
        {f"key{n}": "x" * 400 for n in range(300)},
    ],
)
async def test_an_event_that_is_too_large_is_refused_and_kept_nowhere(make_bus, data):
    bus = make_bus(max_event_bytes=65_536)
    bus.attach([bus.subscription("a.b", number, owner="q")])
    for _ in range(2):
        with pytest.raises(EventTooLarge, match="more than 65536 bytes"):
            await bus.publish("a.b", data, source="p")
    with pytest.raises(EventTooLarge):
        await bus.request("a.b", data, source="p")
    assert bus.recent.list() == []
    assert bus.figures().published == 0


async def test_an_event_within_the_limit_goes_out_whatever_its_shape(make_bus):
    bus = make_bus(max_event_bytes=65_536)
    data = {"text": "x" * 60_000, "none": None, "yes": True, "list": [1, 2.5, {"n": -1}]}
    for _ in range(2):
        event = await bus.publish("a.b", data, source="p")
        assert event.data == data
