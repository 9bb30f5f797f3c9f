"""What a process notes under a lease that it finds to be lost before it has stored it."""

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
