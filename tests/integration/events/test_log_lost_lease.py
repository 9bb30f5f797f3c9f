"""What a process notes under a lease that it finds to be lost before it has stored it."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from nexus.events.durable import DurableLog
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")


@pytest.mark.parametrize("is_taken_back", [False, True], ids=["lost", "taken back"])
async def test_a_dead_letter_goes_with_the_lease_and_the_next_holder_buries_the_event(
    store, hands, letter, *, is_taken_back
):
    a, b = await store.open(lease=0.6), await store.open(lease=0.6)
    assert isinstance(a, DurableLog)
    await a.declare("mail", ["user.*"])
    await hands.append(a, 1)
    [event] = await hands.fetch(a.stream(KEY), 1)
    await store.freeze(a)
    [again] = await hands.fetch(b.stream(KEY), 1)
    async with a.acknowledgements._lock:  # so that it is not stored before the loss is noticed
        a.stream(KEY).bury(letter(KEY, event))
        await a.keep_only(["mail"])  # which reports, and finds the lease lost
        if is_taken_back:
            await b.stream(KEY).leave()
            [again] = await hands.fetch(a.stream(KEY), 1)
    holder = a if is_taken_back else b
    assert await a.letters() == []
    holder.stream(KEY).bury(letter(KEY, again))
    [dead] = await holder.letters()
    assert dead.event.id == event.id
    [lag] = await holder.lag()
    assert (lag.waiting, lag.dead) == (0, 1)


@pytest.mark.timeout(60)
async def test_a_process_whose_reports_take_longer_than_its_lease_goes_on(
    store: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks for a report as soon as the last one was too late must not hold up all else."""
    log = await store.open(lease=0.3)
    await log.declare("mail", ["user.*", "order.*", "price.*"])
    await hands.append(log, 1)
    compare, late = log.claims._compare, 3

    async def slowly() -> None:
        nonlocal late
        await compare()
        if late:
            late -= 1
            await asyncio.sleep(0.5)
            for each in log.streams:
                each.wake()  # as an event does that comes at this moment

    monkeypatch.setattr(log.claims, "_compare", slowly)
    async with AsyncExitStack() as stack:
        for pattern in ("order.*", "price.*"):
            stream = log.stream(SubscriptionKey("mail", pattern))
            await stack.enter_async_context(hands.fetching(stream))
        found = await stack.enter_async_context(hands.fetching(log.stream(KEY)))
        async with asyncio.timeout(30):
            while late or not found:
                await asyncio.sleep(0.02)
    assert hands.numbers(found) == [1]
