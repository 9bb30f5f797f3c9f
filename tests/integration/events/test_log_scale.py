"""Many subscriptions, many events, and those who are far behind."""

import asyncio
from collections import Counter
from typing import Any

from nexus.events.durable.rows import row_of
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
LATE = SubscriptionKey("late", "user.*")


async def test_a_thousand_subscriptions_have_each_event(store, log, hands):
    keys = [SubscriptionKey(f"p{number}", "user.*") for number in range(1000)]
    for each in keys[::50]:
        start = keys.index(each)
        await asyncio.gather(
            *(log.declare(key.plugin, ["user.*"]) for key in keys[start : start + 50])
        )
    counts: Counter[str] = Counter()

    async def work(key: SubscriptionKey) -> None:
        stream = log.stream(key)
        while True:
            for event in await stream.fetch(10):
                counts[event.id] += 1
                stream.acknowledge(event)

    tasks = [asyncio.create_task(work(key)) for key in keys]
    given = await hands.append(log, *range(5))
    async with asyncio.timeout(60):
        while counts.total() < 5000:
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert counts == {each.id: 1000 for each in given}
    assert all(each.waiting == 0 for each in await log.lag())
    await store.tidy(log)


async def handle_all(stream: Any, found: list[int]) -> None:
    while True:
        for event in await stream.fetch(1000):
            found.append(event.data["n"])
            stream.acknowledge(event)


async def test_one_that_is_far_behind_catches_up_while_others_are_live(store, log, hands):
    await log.declare("mail", ["user.*"])
    await log.declare("late", ["user.*"])
    many = 100_000 if store.engine == "sqlite" else 20_000
    live: list[int] = []

    for start in range(0, many, 500):
        rows = [row_of(Event("user.created", {"n": n})) for n in range(start, start + 500)]
        await log.journal.append(rows)
    task = asyncio.create_task(handle_all(log.stream(KEY), live))
    stream = log.stream(LATE)
    late: list[int] = []
    number = many
    async with asyncio.timeout(60):
        while len(late) < number:
            for event in await stream.fetch(1000):
                late.append(event.data["n"])
                stream.acknowledge(event)
            if len(late) < many and not len(late) % 5000:
                await log.append(Event("user.created", {"n": number}))
                number += 1
        while len(live) < number:
            await asyncio.sleep(0.01)
    task.cancel()
    assert number > many
    assert late == live == list(range(number))


async def test_more_than_is_kept_in_memory_is_read_again_in_order(log, hands):
    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    await hands.append(log, 0)
    await hands.fetch(stream, 1)
    for start in range(1, 5001, 500):
        await asyncio.gather(
            *(log.append(Event("user.created", {"n": n})) for n in range(start, start + 500))
        )
    assert hands.numbers(await hands.fetch(stream, 5000, 77)) == list(range(1, 5001))
