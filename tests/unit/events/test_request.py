import asyncio

import pytest

from nexus.errors import NoResponder, RequestFailed, RequestTimeout
from nexus.events import Event, EventBus, Handler, Subscription, SubscriptionOptions


def replying(value: object) -> Handler:
    async def handler(_event):
        return value

    return handler


async def test_the_return_value_of_the_handler_is_the_reply(bus):
    async def price(event):
        return {"price": event.data["amount"] * 2}

    bus.attach([bus.subscription("shop.price", price, owner="shop")])
    assert await bus.request("shop.price", {"amount": 21}, source="p") == {"price": 42}
    assert bus.figures().requested == 1
    assert bus.figures().subscriptions[0].delivered == 1


async def test_a_plain_function_can_reply_and_so_can_none(bus):
    bus.attach(
        [
            bus.subscription("plain", lambda event: event.data["n"] + 1, owner="p"),
            bus.subscription("nothing", replying(None), owner="p"),
        ]
    )
    assert await bus.request("plain", {"n": 1}, source="p") == 2
    assert await bus.request("nothing", source="p") is None


async def test_only_one_is_asked_the_one_with_the_highest_priority_then_the_oldest(bus: EventBus):
    asked: list[str] = []

    def make(name: str, priority: int, pattern: str = "q") -> Subscription:
        async def handler(_event):
            asked.append(name)
            return name

        options = SubscriptionOptions(priority=priority)
        return bus.subscription(pattern, handler, owner=name, options=options)

    bus.attach([make("everything", 9, "**"), make("low", 0), make("old", 1), make("young", 1)])
    assert await bus.request("q", source="p") == "old"
    await bus.join()
    assert asked == ["old"]


async def test_nobody_to_ask_is_an_error_with_the_nearest_name(bus):
    bus.attach([bus.subscription("shop.price", replying(1), owner="shop")])
    with pytest.raises(NoResponder, match=r"Did you mean 'shop\.price'"):
        await bus.request("shop.prize", source="p")


async def test_a_failing_provider_is_not_asked_again_and_its_message_is_kept(bus):
    attempts: list[Event] = []

    async def broken(event):
        attempts.append(event)
        raise ValueError("out of stock")

    bus.attach([bus.subscription("q", broken, owner="shop")])
    with pytest.raises(RequestFailed, match="ValueError: out of stock"):
        await bus.request("q", source="p")
    await bus.join()
    assert len(attempts) == 1
    assert len(bus.dead_letters) == 0
    (figures,) = bus.figures().subscriptions
    assert (figures.failed, figures.delivered) == (1, 0)


async def test_a_reply_that_is_not_json_is_a_failure(bus):
    bus.attach([bus.subscription("q", replying(object()), owner="shop")])
    with pytest.raises(RequestFailed, match="not JSON data"):
        await bus.request("q", source="p")


async def test_a_reply_belongs_to_who_asked(bus):
    kept = {"list": [1]}
    bus.attach([bus.subscription("q", replying(kept), owner="shop")])
    reply = await bus.request("q", source="p")
    reply["list"].append(2)
    assert kept == {"list": [1]}


async def test_no_reply_in_time_is_an_error_that_names_the_provider(bus):
    started, gate, seen = asyncio.Event(), asyncio.Event(), []

    async def slow(event):
        seen.append(event.data["n"])
        started.set()
        await gate.wait()

    bus.attach([bus.subscription("q", slow, owner="shop")])
    with pytest.raises(RequestTimeout, match="'shop' did not answer"):
        await bus.request("q", {"n": 0}, source="p", timeout=0.01)
    with pytest.raises(TimeoutError):
        await bus.request("q", {"n": 1}, source="p", timeout=0.01)
    gate.set()
    await bus.join()
    assert seen == [0]  # Nobody waited for the second any more.
    assert bus.figures().subscriptions[0].delivered == 1


async def test_a_full_mailbox_counts_against_the_time_of_a_request(make_bus):
    bus = make_bus(mailbox_size=1)
    gate = asyncio.Event()

    async def slow(_event):
        await gate.wait()

    bus.attach([bus.subscription("q", slow, owner="shop")])
    await bus.publish("q", source="p")
    await asyncio.sleep(0)
    await bus.publish("q", source="p")
    with pytest.raises(RequestTimeout):
        await bus.request("q", source="p", timeout=0.01)
    assert bus.figures().subscriptions[0].blocked == 0
    gate.set()
    await bus.join()
    assert await bus.request("q", source="p") is None


async def test_requests_keep_their_place_among_events(bus):
    seen: list[str] = []

    async def handler(event):
        await asyncio.sleep(0)
        seen.append(event.data["what"])
        return len(seen)

    bus.attach([bus.subscription("q", handler, owner="shop")])
    for what in ("first", "second"):
        await bus.publish("q", {"what": what}, source="p")
    asked = asyncio.create_task(bus.request("q", {"what": "asked"}, source="p"))
    await asyncio.sleep(0)
    await bus.publish("q", {"what": "last"}, source="p")
    assert await asked == 3
    await bus.join()
    assert seen == ["first", "second", "asked", "last"]


async def test_a_request_comes_before_what_is_published_after_it(bus):
    seen: list[str] = []
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(event):
        started.set()
        await gate.wait()
        seen.append(event.data["what"])

    bus.attach([bus.subscription("q", handler, owner="shop")])
    await bus.publish("q", {"what": "in hand"}, source="p")
    await started.wait()
    for what in ("first", "second"):
        await bus.publish("q", {"what": what}, source="p")
    asked = asyncio.create_task(bus.request("q", {"what": "asked"}, source="p"))
    await asyncio.sleep(0)
    await bus.publish("q", {"what": "last"}, source="p")
    assert bus.figures().subscriptions[0].depth == 4
    gate.set()
    await asked
    await bus.join()
    assert seen == ["in hand", "first", "second", "asked", "last"]


async def test_a_request_moves_to_the_successor(bus):
    started, gate = asyncio.Event(), asyncio.Event()

    async def busy(_event):
        started.set()
        await gate.wait()

    old = bus.subscription("q", busy, owner="shop")
    bus.attach([old])
    await bus.publish("q", source="p")
    await started.wait()
    asked = asyncio.create_task(bus.request("q", source="p"))
    await asyncio.sleep(0)
    bus.replace([old], [bus.subscription("q", replying("new"), owner="shop")])
    gate.set()
    assert await asked == "new"


async def test_a_provider_that_is_drained_tells_who_asked(bus):
    started = asyncio.Event()

    async def hangs(_event):
        started.set()
        await asyncio.Event().wait()

    only = bus.subscription("q", hangs, owner="shop")
    bus.attach([only])
    asked = [asyncio.create_task(bus.request("q", source="p", timeout=60)) for _ in range(2)]
    await started.wait()
    await bus.drain([only], 0)
    for each in asked:
        with pytest.raises(RequestFailed, match="'shop' failed"):
            await each
    assert len(bus.dead_letters) == 0


async def test_a_provider_that_overruns_its_time_limit_fails_the_request(bus, time):
    started = asyncio.Event()

    async def hangs(_event):
        started.set()
        await asyncio.Event().wait()

    bus.attach([bus.subscription("q", hangs, owner="shop")])
    asked = asyncio.create_task(bus.request("q", source="p", timeout=600))
    await started.wait()
    time.pass_by(bus, 31)
    with pytest.raises(RequestFailed):
        await asked
    assert bus.figures().subscriptions[0].timed_out == 1
