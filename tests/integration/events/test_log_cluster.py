"""What every engine promises several processes on one store."""

import asyncio
from typing import Any

import pytest

from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
LEASE = 0.6


async def test_each_event_is_delivered_once_however_many_processes_there_are(two, hands):
    a, b = two
    await a.declare("mail", ["user.*"])
    async with hands.fetching(a.stream(KEY)) as by_a, hands.fetching(b.stream(KEY)) as by_b:
        for number in range(0, 60, 2):
            await hands.append(a, number)
            await hands.append(b, number + 1)
        async with asyncio.timeout(20):
            while len(by_a) + len(by_b) < 60:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
    assert sorted(hands.numbers([*by_a, *by_b])) == list(range(60))
    assert not by_a or not by_b


async def test_what_one_process_appends_another_delivers(two, hands):
    a, b = two
    await a.declare("mail", ["user.*"])
    await a.declare("audit", ["user.*"])
    other = SubscriptionKey("audit", "user.*")
    async with hands.fetching(a.stream(KEY)) as by_a, hands.fetching(b.stream(other)) as by_b:
        await hands.append(a, 1)
        await hands.append(b, 2)
        async with asyncio.timeout(20):
            while len(by_a) < 2 or len(by_b) < 2:
                await asyncio.sleep(0.01)
    assert hands.numbers(by_a) == hands.numbers(by_b) == [1, 2]


async def test_what_another_process_publishes_is_kept_from_the_moment_of_the_declaration(
    two, hands
):
    a, b = two
    for number in range(5):
        plugin = f"p{number}"
        await a.declare(plugin, ["user.*"])
        assert b.wants("user.created")
        await hands.append(b, number)
        [event] = await hands.fetch(b.stream(SubscriptionKey(plugin, "user.*")), 1)
        assert event.data["n"] == number
        await b.retract(plugin)


async def test_a_process_that_leaves_gives_its_subscriptions_back(two, hands):
    a, b = two
    await a.declare("mail", ["user.*"])
    await hands.append(a, 1, 2, 3)
    stream = a.stream(KEY)
    events = await hands.fetch(stream, 3)
    stream.acknowledge(events[0])
    await stream.leave()
    assert hands.numbers(await hands.fetch(b.stream(KEY), 2)) == [2, 3]
    [lag] = await a.lag()
    assert lag.waiting == 2


async def test_a_process_that_ends_gives_its_subscriptions_back(two, hands):
    a, b = two
    await a.declare("mail", ["user.*"])
    await hands.append(a, 1, 2)
    a.stream(KEY).acknowledge((await hands.fetch(a.stream(KEY), 2))[0])
    await a.close()
    assert hands.numbers(await hands.fetch(b.stream(KEY), 1)) == [2]


async def test_a_fetch_that_is_cancelled_while_it_asks_leaves_no_lease_behind(two, hands):
    a, b = two
    await a.declare("mail", ["user.*"])
    for pause in (0, 0.001, 0.002, 0.004, 0.006):
        fetching = asyncio.create_task(a.stream(KEY).fetch(1))
        await asyncio.sleep(pause)
        fetching.cancel()
        await asyncio.wait({fetching})
        await a.stream(KEY).leave()
    await hands.append(a, 1)
    [event] = await hands.fetch(b.stream(KEY), 1)
    assert event.data["n"] == 1


async def test_whoever_reports_no_more_loses_the_lease_and_is_refused(store, hands):
    a, b = await store.open(lease=LEASE), await store.open(lease=LEASE)
    await a.declare("mail", ["user.*"])
    await hands.append(a, 1, 2, 3)
    stream = a.stream(KEY)
    events = await hands.fetch(stream, 3)
    stream.acknowledge(events[0])
    await a.lag()  # which stores it
    await store.freeze(a)
    # One by one: the first process may have died of one of them.
    assert hands.numbers(await hands.fetch(b.stream(KEY), 1)) == [2]
    assert a.figures()["refused_acknowledgements_total"] == 0
    for event in events[1:]:
        stream.acknowledge(event)
    await a.lag()
    assert a.figures()["refused_acknowledgements_total"] == 1
    [lag] = await a.lag()
    assert lag.waiting == 2


async def test_whoever_was_late_and_reports_again_gives_up_what_others_have_taken(store, hands):
    a, b = await store.open(lease=LEASE), await store.open(lease=LEASE)
    await a.declare("mail", ["user.*"])
    async with hands.fetching(a.stream(KEY)) as by_a:
        await hands.append(a, 1)
        async with asyncio.timeout(20):
            while not by_a:
                await asyncio.sleep(0.01)
        await a.lag()
        await store.freeze(a)
        async with hands.fetching(b.stream(KEY)) as by_b:
            await hands.append(b, 2)
            async with asyncio.timeout(20):
                while 2 not in hands.numbers([*by_b, *by_a]):
                    await asyncio.sleep(0.01)
                while 3 not in hands.numbers(by_b):
                    # By now it is frozen for longer than its lease, and another one has that.
                    await hands.append(b, 3)
                    await asyncio.sleep(0.1)
            assert 3 not in hands.numbers(by_a)


async def test_a_dead_letter_that_came_too_late_is_not_kept(store, hands, letter):
    a, b = await store.open(lease=LEASE), await store.open(lease=LEASE)
    await a.declare("mail", ["user.*"])
    await hands.append(a, 1)
    [event] = await hands.fetch(a.stream(KEY), 1)
    await store.freeze(a)
    await hands.fetch(b.stream(KEY), 1, acknowledge=True)
    a.stream(KEY).bury(letter(KEY, event))
    assert await a.letters() == []
    assert a.figures()["refused_acknowledgements_total"] == 1


async def test_an_old_copy_that_is_given_back_is_not_delivered_beside_the_new_one(store, hands):
    a, b = await store.open(lease=LEASE), await store.open(lease=LEASE)
    await a.declare("mail", ["user.*"])
    await hands.append(a, 1)
    [old] = await hands.fetch(a.stream(KEY), 1)
    await store.freeze(a)
    await hands.fetch(b.stream(KEY), 1)
    await b.stream(KEY).leave()
    a.stream(KEY).acknowledge(Event("user.created", {}))
    [new] = await hands.fetch(a.stream(KEY), 1)
    a.stream(KEY).release(old)
    a.stream(KEY).acknowledge(new)
    assert new.id == old.id
    assert await hands.nothing_comes(a.stream(KEY), a)


async def publish_much(store: Any, log: Any, number: int) -> None:
    database = store.database(log)
    for each in range(20):
        await log.append(Event("user.created", {"n": [number, each]}))
    for each in range(10):
        async with database.transaction():
            for part in range(3):
                await log.append(Event("order.made", {"n": [number, each, part]}))


async def test_positions_only_grow_however_many_append(store, two, hands, until):
    a, b = two
    await a.declare("mail", ["**"])
    await asyncio.gather(*(publish_much(store, log, number) for number in range(2) for log in two))

    async def all_are_there() -> bool:
        return len(await a.read(limit=10_000)) == 200

    await until(all_are_there)
    positions = [each.position for each in await a.read(limit=10_000)]
    assert positions == sorted(set(positions))
    if store.engine in ("sqlite", "postgresql", "mariadb"):
        assert positions == list(range(1, 201))
    async with hands.fetching(b.stream(SubscriptionKey("mail", "**"))) as found:
        async with asyncio.timeout(20):
            while len(found) < 200:
                await asyncio.sleep(0.01)
    assert [each.position for each in found] == positions


async def test_only_what_no_process_knows_is_forgotten(two, hands):
    a, b = two
    await a.declare("mail", ["user.*"])
    await a.declare("audit", ["user.*"])
    await a.declare("gone", ["user.*"])
    await hands.append(a, 1)
    await b.keep_only(["audit"])
    await a.keep_only(["mail"])
    assert {each.key.plugin for each in await a.lag()} == {"mail", "audit"}
    [event] = await hands.fetch(b.stream(SubscriptionKey("audit", "user.*")), 1)
    assert event.data["n"] == 1


async def test_nothing_is_forgotten_until_all_have_told_what_they_know(store, hands, until):
    a = await store.open(lease=LEASE)
    await a.declare("mail", ["user.*"])
    await a.declare("audit", ["user.*"])
    await a.declare("gone", ["user.*"])
    b = await store.open(lease=LEASE)  # has not told anything yet
    await a.keep_only(["mail"])
    assert {each.key.plugin for each in await a.lag()} == {"mail", "audit", "gone"}
    await b.keep_only(["audit"])

    async def is_forgotten():
        return {each.key.plugin for each in await a.lag()} == {"mail", "audit"}

    await until(is_forgotten)


async def test_a_replay_in_one_process_takes_the_lease_of_another(store, hands):
    a, b = await store.open(lease=LEASE), await store.open(lease=LEASE)
    await a.declare("mail", ["user.*"])
    given = await hands.append(a, 1, 2)
    async with hands.fetching(a.stream(KEY)) as found:
        async with asyncio.timeout(20):
            while len(found) < 2:
                await asyncio.sleep(0.01)
            await a.lag()
            assert await b.replay(KEY, given[1].time_ns) == 1
            while len(found) < 3:
                await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1, 2, 2]


async def test_a_reader_that_is_behind_a_trimmed_log_goes_on(store, hands):
    a, b = await store.open(retention=0.0), await store.open(retention=0.0)
    await a.declare("mail", ["user.*"])
    async with hands.fetching(a.stream(KEY)) as found:
        for number in range(20):
            await hands.append(b, number)
        async with asyncio.timeout(20):
            while len(found) < 20:
                await asyncio.sleep(0.01)
    await a.lag()
    await store.tidy(a)
    assert await a.read() == []
    await hands.append(a, 20)
    await a.stream(KEY).leave()
    assert hands.numbers(await hands.fetch(b.stream(KEY), 1)) == [20]


@pytest.mark.parametrize("leaves", [True, False], ids=["in order", "by dying"])
async def test_three_processes_hand_a_subscription_on_without_loss(store, hands, leaves):
    first = await store.open(lease=LEASE)
    await first.declare("mail", ["user.*"])
    await hands.append(first, *range(30))
    found = []
    for _ in range(3):
        log = await store.open(lease=LEASE)
        events = await hands.fetch(log.stream(KEY), 10, limit=5, acknowledge=True)
        found += events
        if leaves:
            await log.close()
        else:
            await log.lag()
            await store.abandon(log)
    assert hands.numbers(found) == list(range(30))


async def test_many_processes_may_be_the_first_at_once(store: Any, hands: Any) -> None:
    logs = await asyncio.gather(*(store.open() for _ in range(8)))
    await asyncio.gather(*(log.declare(KEY.plugin, [KEY.pattern]) for log in logs))
    await hands.append(logs[0], 1)
    assert hands.numbers(await logs[1].read()) == [1]
