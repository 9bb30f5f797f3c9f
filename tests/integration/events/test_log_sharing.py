"""Subscriptions are spread over the processes that can work on them."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from nexus.events.log import SubscriptionKey

LEASE = 0.6
KEYS = [SubscriptionKey(f"p{number}", "user.*") for number in range(6)]


def share(log: Any) -> int:
    return sum(stream.claim is not None for stream in log.streams)


async def fetch_all(stack: AsyncExitStack, log: Any, hands: Any) -> list[Any]:
    return [await stack.enter_async_context(hands.fetching(log.stream(key))) for key in KEYS]


async def test_a_process_that_joins_takes_its_share_and_nothing_is_lost_or_twice(
    store: Any, hands: Any, until: Any
) -> None:
    one = await store.open(lease=LEASE)
    for key in KEYS:
        await one.declare(key.plugin, [key.pattern])
    async with AsyncExitStack() as stack:
        found = await fetch_all(stack, one, hands)

        async def has_all() -> bool:
            return share(one) == len(KEYS)

        await until(has_all)
        await hands.append(one, *range(3))
        two, three = await store.open(lease=LEASE), await store.open(lease=LEASE)
        found += await fetch_all(stack, two, hands) + await fetch_all(stack, three, hands)

        async def fair() -> bool:
            return [share(each) for each in (one, two, three)] == [2, 2, 2]

        await until(fair)
        await hands.append(two, *range(3, 6))

        async def all_delivered() -> bool:
            return sum(map(len, found)) >= 6 * len(KEYS)

        await until(all_delivered)
        await asyncio.sleep(LEASE)
        assert await fair(), "and it stays so"
    per_key = [
        sorted(n for events in found[index :: len(KEYS)] for n in hands.numbers(events))
        for index in range(len(KEYS))
    ]
    assert per_key == [list(range(6))] * len(KEYS)


async def test_what_has_something_in_hand_is_not_handed_over(
    store: Any, hands: Any, until: Any
) -> None:
    one = await store.open(lease=LEASE)
    for key in KEYS[:2]:
        await one.declare(key.plugin, [key.pattern])
    async with AsyncExitStack() as stack:
        for key in KEYS[:2]:
            stream = one.stream(key)
            await stack.enter_async_context(hands.fetching(stream, acknowledge=False))

        async def has_both() -> bool:
            return share(one) == 2

        await until(has_both)
        await hands.append(one, 1)
        two = await store.open(lease=LEASE)
        for key in KEYS[:2]:
            await stack.enter_async_context(hands.fetching(two.stream(key)))
        for _ in range(4):
            await two.sharing.share()
            await one.sharing.share()
            await asyncio.sleep(LEASE / 3)
        assert (share(one), share(two)) == (2, 0)


async def test_where_nobody_else_waits_nothing_is_handed_over(
    store: Any, hands: Any, until: Any
) -> None:
    one, two = await store.open(lease=LEASE), await store.open(lease=LEASE)
    for key in KEYS:
        await one.declare(key.plugin, [key.pattern])
    async with AsyncExitStack() as stack:
        await fetch_all(stack, one, hands)

        async def has_all() -> bool:
            return share(one) == len(KEYS)

        await until(has_all)
        epochs = [stream.claim.epoch for stream in one.streams]
        for _ in range(4):
            await one.sharing.share()
            await two.sharing.share()
        assert [stream.claim.epoch for stream in one.streams if stream.claim] == epochs
