"""Durable subscriptions through the bus, on a real log."""

import asyncio
import time
from typing import Any

import pytest

from nexus.events import BusSettings, EventBus, SubscriptionOptions
from nexus.events.log import SubscriptionKey

pytestmark = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)

KEY = SubscriptionKey("mail", "user.*")


@pytest.fixture
async def make_bus(store):
    made = []

    async def make(**settings):
        log = await store.open(alone=True)
        usual = {"retry_delay": 0.0, "handler_grace": 0.1, "max_attempts": 3}
        bus = EventBus(BusSettings(**{**usual, **settings}), log=log)
        bus._routes.open = True  # the store has opened the log
        made.append(bus)
        return bus

    yield make
    for bus in made:
        if bus._routes.open:
            await bus.stop(0)


@pytest.fixture
async def bus(make_bus):
    bus = await make_bus()
    await bus.durable.log.declare("mail", ["user.*"])
    return bus


def subscribe(bus: Any, handler: Any, pattern: str = "user.*", **options: Any) -> Any:
    subscription = bus.subscription(
        pattern, handler, owner="mail", options=SubscriptionOptions(**options), durable=True
    )
    bus.attach([subscription])
    return subscription


async def handled(log: Any, until: Any) -> None:
    """Wait until everything has been handled and stored."""

    async def is_handled() -> bool:
        return all(each.waiting == 0 for each in await log.lag())

    await until(is_handled)


async def publish(bus: Any, *numbers: int, **other: Any) -> None:
    for number in numbers:
        await bus.publish("user.created", {"n": number}, source="accounts", **other)


async def test_a_handler_has_each_event_once_and_in_order(bus, until):
    seen = []

    async def handler(event):
        seen.append(event.data["n"])

    subscribe(bus, handler)
    await publish(bus, *range(300))
    await handled(bus.durable.log, until)
    assert seen == list(range(300))


async def test_a_plain_handler_runs_in_a_thread_and_is_acknowledged(bus, until):
    seen = []
    subscribe(bus, lambda event: seen.append(event.data["n"]))
    await publish(bus, 1, 2)
    await handled(bus.durable.log, until)
    assert seen == [1, 2]


async def test_a_failure_is_tried_again_and_then_a_dead_letter_in_the_log(bus, until):
    attempts = []

    async def handler(event):
        attempts.append(event.data["n"])
        if event.data["n"] == 1:
            raise ValueError("not this one")

    subscribe(bus, handler)
    await publish(bus, 1, 2)
    await handled(bus.durable.log, until)
    assert attempts == [1, 1, 1, 2]
    [letter] = await bus.durable.log.letters()
    assert (letter.reason, letter.attempts) == ("failed", 3)
    assert letter.error == "ValueError: not this one"
    assert "in handler" in letter.traceback
    assert len(bus.dead_letters) == 0


async def test_a_letter_that_is_tried_again_reaches_the_handler(bus, until):
    fails = True
    seen = []

    async def handler(event):
        if fails:
            raise ValueError
        seen.append(event.data["n"])

    subscribe(bus, handler, max_attempts=1)
    await publish(bus, 1)
    await handled(bus.durable.log, until)
    [letter] = await bus.durable.log.letters()
    fails = False
    await bus.durable.log.retry([letter.id])

    async def is_gone():
        return await bus.durable.log.letters() == []

    await until(is_gone)
    assert seen == [1]


@pytest.mark.parametrize("plain", [False, True])
async def test_a_handler_that_takes_too_long_leaves_a_dead_letter(bus, until, plain):
    release = asyncio.Event()

    async def handler(event):
        await release.wait()

    def plain_handler(event):
        time.sleep(0.3)

    subscribe(bus, plain_handler if plain else handler, timeout=0.05, max_attempts=1)
    await publish(bus, 1)
    await handled(bus.durable.log, until)
    [letter] = await bus.durable.log.letters()
    assert letter.reason == "timeout"
    release.set()


async def test_what_waits_goes_to_the_successor(bus, until):
    gate, seen = asyncio.Event(), []

    async def old(event):
        await gate.wait()
        seen.append(("old", event.data["n"]))

    async def new(event):
        seen.append(("new", event.data["n"]))

    first = subscribe(bus, old)
    await publish(bus, *range(5))
    while not first.mailbox.in_hand:
        await asyncio.sleep(0.01)
    second = bus.subscription("user.*", new, owner="mail", durable=True)
    bus.replace([first], [second])
    await publish(bus, 5)
    gate.set()
    assert await bus.drain([first], 20) == 0
    await handled(bus.durable.log, until)
    assert seen == [("old", 0), *(("new", n) for n in range(1, 6))]


async def test_what_a_drained_handler_has_not_handled_comes_again(bus, make_bus, store, until):
    never = asyncio.Event()
    begun = asyncio.Event()

    async def slow(event):
        begun.set()
        await never.wait()

    subscription = subscribe(bus, slow)
    await publish(bus, 1, 2, 3)
    await begun.wait()
    while len(subscription.mailbox.queue) < 2:
        await asyncio.sleep(0.01)
    assert await bus.drain([subscription], 0) == 3
    assert await bus.durable.log.letters() == []
    seen = []

    async def quick(event):
        seen.append(event.data["n"])

    subscribe(bus, quick)
    await handled(bus.durable.log, until)
    assert seen == [1, 2, 3]


async def test_a_stopped_bus_leaves_in_the_log_what_it_has_not_handled(bus, make_bus, until):
    begun, never = asyncio.Event(), asyncio.Event()

    async def slow(event):
        begun.set()
        await never.wait()

    subscribe(bus, slow)
    await publish(bus, 1, 2, 3)
    await begun.wait()
    assert await bus.stop(0) >= 1
    seen = []

    async def quick(event):
        seen.append(event.data["n"])

    again = await make_bus()
    subscribe(again, quick)
    await handled(again.durable.log, until)
    assert seen == [1, 2, 3]


async def test_an_event_reaches_durable_and_other_subscribers(bus, until):
    durable, other = [], []

    async def keep(event):
        durable.append(event.id)

    async def look(event):
        other.append(event.id)

    subscribe(bus, keep)
    bus.attach([bus.subscription("**", look, owner="audit")])
    event = await bus.publish("user.created", {}, source="accounts")
    nothing = await bus.publish("order.made", {}, source="shop")
    await handled(bus.durable.log, until)
    await bus.join()
    assert durable == [event.id]
    assert other == [event.id, nothing.id]
    assert len(await bus.durable.log.read()) == 1  # nobody wants the other one from the log


async def test_two_handlers_of_one_pattern_have_each_event_both(bus, until):
    first, second, gate = [], [], asyncio.Event()

    async def quick(event):
        first.append(event.data["n"])

    async def slow(event):
        await gate.wait()
        second.append(event.data["n"])

    subscribe(bus, quick)
    subscribe(bus, slow)
    await publish(bus, 1, 2)
    while first != [1, 2]:
        await asyncio.sleep(0.01)
    [lag] = await bus.durable.log.lag()
    assert lag.waiting == 2
    gate.set()
    await handled(bus.durable.log, until)
    assert second == [1, 2]


async def test_a_durable_subscription_answers_requests(bus):
    await bus.durable.log.declare("mail", ["user.find"])

    async def find(event):
        return {"found": event.data["n"]}

    subscribe(bus, find, "user.find")
    assert await bus.request("user.find", {"n": 3}, source="q") == {"found": 3}
    assert await bus.durable.log.read() == []


async def test_events_with_one_key_stay_in_order_where_many_are_handled_at_once(bus, until):
    seen = []

    async def handler(event):
        await asyncio.sleep(0.001 * (event.data["n"] % 3))
        seen.append(event.data["n"])

    subscribe(bus, handler, concurrency=8)
    for number in range(60):
        await publish(bus, number, ordering_key=f"k{number % 4}")
    await handled(bus.durable.log, until)
    assert sorted(seen) == list(range(60))
    for key in range(4):
        own = [each for each in seen if each % 4 == key]
        assert own == sorted(own)


async def test_a_small_mailbox_delivers_everything_in_order(bus, until):
    seen = []

    async def handler(event):
        seen.append(event.data["n"])

    subscribe(bus, handler, mailbox_size=1)
    await asyncio.gather(*(publish(bus, number) for number in range(100)))
    await handled(bus.durable.log, until)
    assert sorted(seen) == list(range(100))
    assert seen == [each.data["n"] for each in await bus.durable.log.read()]
