"""What every engine promises when processes die of events."""

import asyncio
from typing import Any

import pytest

from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
CRASHES = 2


async def live(
    store: Any, until_death: float, *, alone: bool, deadly: int = 5, lease: float = 0.3
) -> tuple[Any, bool]:
    """Open a log, handle events, and die of one of them; False when there is nothing more."""
    log = await store.open(alone=alone, lease=lease, max_crashes=CRASHES)
    stream = log.stream(KEY)
    try:
        async with asyncio.timeout(until_death):
            while True:
                for event in await stream.fetch(100):
                    if event.data["n"] == deadly:
                        return log, True
                    stream.acknowledge(event)
    except TimeoutError:
        return log, False


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "shared"])
async def test_an_event_that_processes_die_of_is_given_up_and_no_other(store, hands, alone):
    log = await store.open(alone=alone)
    await log.declare("mail", ["user.*"])
    await hands.append(log, *range(12))
    await log.close()
    deaths = 0
    while True:
        log, has_died = await live(store, 3, alone=alone)
        if not has_died:
            break
        deaths += 1
        assert deaths < 10
        assert await log.letter_box.list(plugin=None, pattern=None, limit=None) == []
        await store.abandon(log)
    # Of the first death it is not known what was in hand.
    assert deaths == CRASHES + 1
    [letter] = await log.letters()
    assert (letter.event.data["n"], letter.reason, letter.attempts) == (5, "crashed", CRASHES)
    [lag] = await log.lag()
    assert (lag.waiting, lag.dead) == (0, 1)


async def test_processes_that_die_of_different_events_give_up_none(store, hands):
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, *range(8))
    for deadly in range(8):
        await store.abandon(log)
        log, has_died = await live(store, 20, alone=True, deadly=deadly)
        assert has_died
    # The last one is handled, and those that a process died of once as well.
    await store.abandon(log)
    log, has_died = await live(store, 1, alone=True, deadly=-1)
    assert not has_died
    assert await log.letters() == []
    [lag] = await log.lag()
    assert lag.waiting == 0


async def test_a_process_that_ends_in_order_has_not_died_of_anything(store, hands):
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 5)
    for _ in range(CRASHES + 3):
        await log.close()
        log, has_died = await live(store, 20, alone=True)
        assert has_died
    assert await log.letters() == []


async def test_a_dead_letter_that_a_process_dies_of_is_dead_again(store, hands, letter):
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 5)
    [event] = await hands.fetch(log.stream(KEY), 1)
    log.stream(KEY).bury(letter(KEY, event))
    [dead] = await log.letters()
    await log.retry([dead.id])
    deaths = 0
    while True:
        await store.abandon(log)
        log, has_died = await live(store, 1, alone=True)
        if not has_died:
            break
        deaths += 1
        assert deaths < 10
    [again] = await log.letters()
    assert (again.id, again.reason) == (dead.id, "crashed")
    assert deaths == CRASHES


async def test_events_that_came_after_a_death_are_not_handled_one_by_one(store, hands):
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 0)
    await hands.fetch(log.stream(KEY), 1)
    await store.abandon(log)
    log = await store.open(alone=True)
    stream = log.stream(KEY)
    await hands.fetch(stream, 1, acknowledge=True)
    await hands.append(log, 1, 2, 3)
    assert hands.numbers(await hands.fetch(stream, 3)) == [1, 2, 3]
