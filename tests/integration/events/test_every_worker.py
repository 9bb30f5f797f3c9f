"""Subscriptions of which every worker has each event of the cluster."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from nexus.errors import EventEngineUnavailable
from nexus.events import BusSettings, Event, EventBus, Subscription, SubscriptionOptions

EVERYWHERE = SubscriptionOptions(scope="every_worker")
Join = Callable[..., Any]


class Worker:
    """A bus of its own on the common log."""

    def __init__(self, bus: EventBus, log: Any) -> None:
        self.bus, self.log = bus, log
        self.heard: list[Any] = []

    async def listen(self, pattern: str = "price.*") -> Subscription:
        async def hear(event: Event) -> None:
            self.heard.append(event.data["n"])

        subscription = self.bus.subscription(pattern, hear, owner="cache", options=EVERYWHERE)
        await self.bus.hear(subscription)
        self.bus.attach([subscription])
        return subscription

    async def publish(self, *numbers: int, name: str = "price.changed") -> None:
        for number in numbers:
            await self.bus.publish(name, {"n": number}, source="shop")


@pytest.fixture
async def join(store: Any) -> AsyncIterator[Join]:
    """Have one more worker."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> Worker:
            log = await store.open(**settings)
            bus = EventBus(BusSettings(), log=log)
            bus._routes.open = True  # the log is open already
            stack.push_async_callback(bus.join, 1.0)
            return Worker(bus, log)

        yield make


async def test_every_worker_has_each_event_once_whoever_publishes(join: Join, until: Any) -> None:
    workers = [await join() for _ in range(3)]
    for each in workers:
        await each.listen()
    await asyncio.gather(
        *(each.publish(*range(at * 100, at * 100 + 40)) for at, each in enumerate(workers))
    )
    wanted = sorted(n for at in range(3) for n in range(at * 100, at * 100 + 40))

    async def all_have_heard() -> bool:
        return all(len(each.heard) >= len(wanted) for each in workers)

    await until(all_have_heard)
    await asyncio.sleep(0.05)
    for each in workers:
        assert sorted(each.heard) == wanted
        for at in range(3):  # what one publisher has published is in order
            own = [n for n in each.heard if n // 100 == at]
            assert own == sorted(own)


async def test_what_no_other_worker_wants_stays_in_memory(join: Join) -> None:
    a, b = await join(), await join()
    await a.listen()
    await a.publish(1)
    await a.bus.join()
    assert a.heard == [1]
    assert await b.log.read() == []


async def test_what_is_rolled_back_is_not_heard_of(join: Join, store: Any, until: Any) -> None:
    a, b = await join(), await join()
    await a.listen()
    await b.listen()
    database = store.database(a.log)

    async def publish(number: int, *, fail: bool) -> None:
        async with database.transaction() as transaction:
            event = Event("price.changed", {"n": number})
            await a.bus.deliver(event, transaction.after_commit)
            if fail:
                raise KeyError

    with pytest.raises(KeyError):
        await publish(1, fail=True)
    await publish(2, fail=False)

    async def both_have_heard() -> bool:
        return bool(a.heard == b.heard == [2])

    await until(both_have_heard)
    await asyncio.sleep(0.05)
    assert a.heard == b.heard == [2]


async def test_a_worker_that_listens_no_more_costs_the_others_nothing(
    join: Join, until: Any
) -> None:
    a, b = await join(lease=0.3), await join(lease=0.3)
    subscription = await b.listen()

    async def is_known() -> bool:  # not at once, where `a` was held for longer than its lease
        return bool(a.log.wants("price.changed"))

    await until(is_known)
    await b.bus.drain([subscription], 1.0)

    async def is_forgotten() -> bool:
        return bool(not a.log.wants("price.changed"))

    await until(is_forgotten)


async def test_a_worker_that_has_died_costs_the_others_nothing(
    join: Join, store: Any, until: Any
) -> None:
    a, b = await join(lease=0.1), await join(lease=0.1)
    await b.listen()
    await store.abandon(b.log)

    async def is_forgotten() -> bool:
        await store.tidy(a.log)
        return bool(not a.log.wants("price.changed"))

    await until(is_forgotten)


async def test_a_full_mailbox_holds_no_other_worker_up(join: Join, until: Any) -> None:
    a, b = await join(), await join()
    gate = asyncio.Event()

    async def hang(event: Event) -> None:
        await gate.wait()
        b.heard.append(event.data["n"])

    options = SubscriptionOptions(scope="every_worker", mailbox_size=2)
    subscription = b.bus.subscription("price.*", hang, owner="cache", options=options)
    await b.bus.hear(subscription)
    b.bus.attach([subscription])
    await a.publish(*range(10))
    gate.set()

    async def all_came() -> bool:
        return bool(b.heard == list(range(10)))

    await until(all_came)


async def test_a_worker_that_was_away_for_long_hears_again(
    join: Join, store: Any, until: Any
) -> None:
    here, there = await join(lease=0.1), await join(lease=0.1)
    await here.listen()
    await store.freeze(here.log)

    async def is_taken_for_dead() -> bool:
        await store.tidy(there.log)
        return not there.log.wants("price.changed")

    await until(is_taken_for_dead)
    here.log._keeper.start()

    async def is_wanted_again() -> bool:
        return bool(there.log.wants("price.changed"))

    await until(is_wanted_again)


async def test_what_could_not_be_told_is_not_wanted(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await join()

    async def fail(_transaction: Any) -> None:
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(worker.log.records, "change", fail)
        with pytest.raises(LookupError):
            await worker.log.hear("price.*")
    assert not worker.log.broadcasts.is_used


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_what_could_not_be_told_to_others_is_not_wanted(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _there = [await store.open(lease=0.5) for _ in range(2)]

    async def fail(transaction: Any) -> None:
        raise EventEngineUnavailable(engine="x", location="y", reason=f"no {transaction}")

    with monkeypatch.context() as patch:
        patch.setattr(here.broadcasts._records, "change", fail)
        with pytest.raises(EventEngineUnavailable):
            await here.hear("cache.*")
    assert not here.broadcasts.is_used
