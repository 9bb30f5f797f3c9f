"""What every engine promises about dead letters."""

import asyncio
from typing import Any

import pytest

from nexus.events.event import Event
from nexus.events.log import BuriedState, SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")


@pytest.fixture
async def stream(log):
    await log.declare("mail", ["user.*"])
    return log.stream(KEY)


async def bury(
    log: Any, hands: Any, letter: Any, *numbers: int, error: str = "ValueError: no"
) -> Any:
    await hands.append(log, *numbers)
    for event in await hands.fetch(log.stream(KEY), len(numbers)):
        log.stream(KEY).bury(letter(KEY, event, error))
    return await log.letters()


async def test_what_was_buried_is_listed_newest_first_and_not_delivered(
    store, log, stream, hands, letter
):
    second, first = await bury(log, hands, letter, 1, 2)
    assert (first.event.data["n"], second.event.data["n"]) == (1, 2)
    assert first.key == KEY
    assert (first.reason, first.attempts, first.state) == ("failed", 3, BuriedState.DEAD)
    assert first.error == "ValueError: no"
    assert first.traceback == "Traceback\nValueError: no"
    assert (await log.letter(first.id)).dict() == first.dict()
    assert await log.letters(plugin="audit") == []
    assert len(await log.letters(plugin="mail", limit=1)) == 1
    await log.close()
    again = await store.open(alone=True)
    assert [each.id for each in await again.letters()] == [second.id, first.id]
    assert await hands.nothing_comes(again.stream(KEY), again)


async def test_a_letter_keeps_the_version_of_its_event(log, stream, hands, letter):
    event = Event("user.created", {})
    event.version = 3
    await log.append(event)
    [event] = await hands.fetch(stream, 1)
    stream.bury(letter(KEY, event, "ValueError: no"))
    [found] = await log.letters()
    assert found.event.version == 3


async def test_a_letter_that_is_tried_again_with_success_is_gone(log, stream, hands, letter):
    [dead] = await bury(log, hands, letter, 1)
    assert await log.retry([dead.id]) == 1
    [event] = await hands.fetch(stream, 1)
    assert (event.id, event.letter) == (dead.event.id, dead.id)
    assert (await log.letter(dead.id)).state is BuriedState.RETRYING
    stream.acknowledge(event)
    assert await log.letters() == []
    assert await hands.nothing_comes(stream, log)


async def test_a_letter_that_fails_again_is_dead_again(log, stream, hands, letter):
    [dead] = await bury(log, hands, letter, 1)
    await log.retry([dead.id])
    [event] = await hands.fetch(stream, 1)
    stream.bury(letter(KEY, event, "KeyError: again"))
    [found] = await log.letters()
    assert (found.id, found.error, found.attempts) == (dead.id, "KeyError: again", 6)
    assert found.state is BuriedState.DEAD
    assert await hands.nothing_comes(stream, log)
    await log.retry([dead.id])
    stream.acknowledge((await hands.fetch(stream, 1))[0])
    assert await log.letters() == []


async def test_a_letter_whose_outcome_is_not_stored_yet_is_not_tried_once_more(
    log, stream, hands, letter
):
    letters = await bury(log, hands, letter, *range(10))
    await log.retry([each.id for each in letters])
    async with hands.fetching(stream) as found:
        for _ in range(50):
            await log.retry([])  # which has the stream look for letters
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while len(found) < 10:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    assert sorted(hands.numbers(found)) == list(range(10))


async def test_a_letter_in_hand_is_tried_again_after_a_restart(store, log, stream, hands, letter):
    [dead] = await bury(log, hands, letter, 1)
    await log.retry([dead.id])
    await hands.fetch(stream, 1)
    await log.close()
    again = await store.open(alone=True)
    [event] = await hands.fetch(again.stream(KEY), 1)
    assert event.letter == dead.id


async def test_another_process_tries_letters_again_as_well(store, hands, letter):
    a, b = await store.open(lease=0.6), await store.open(lease=0.6)
    await a.declare("mail", ["user.*"])
    [dead] = await bury(a, hands, letter, 1)
    await b.retry([dead.id])
    stream = a.stream(KEY)
    stream.acknowledge((await hands.fetch(stream, 1))[0])
    assert await a.letters() == []
    assert await b.letters() == []


async def test_letters_are_released_like_other_events(log, stream, hands, letter):
    [dead] = await bury(log, hands, letter, 1)
    await log.retry([dead.id])
    [event] = await hands.fetch(stream, 1)
    stream.release(event)
    assert await hands.fetch(stream, 1) == [event]


async def test_letters_are_dropped(log, stream, hands, letter):
    dead = await bury(log, hands, letter, 1, 2, 3)
    assert await log.drop([dead[0].id, dead[1].id, "none"]) == 2
    assert [each.id for each in await log.letters()] == [dead[2].id]
    assert await log.retry(["none"]) == 0


async def test_so_many_letters_are_kept_of_each_subscription(store, hands, letter):
    log = await store.open(alone=True, dead_letter_limit=3)
    await log.declare("mail", ["user.*"])
    await log.declare("audit", ["user.*"])
    other = SubscriptionKey("audit", "user.*")
    await hands.append(log, *range(5))
    for key, count in ((KEY, 5), (other, 2)):
        for event in (await hands.fetch(log.stream(key), 5))[:count]:
            log.stream(key).bury(letter(key, event))
    await log.letters()
    await store.tidy(log)
    assert hands.numbers([each.event for each in await log.letters(plugin="mail")]) == [4, 3, 2]
    assert len(await log.letters(plugin="audit")) == 2
    assert log.figures()["dead_letters_evicted_total"] == 2


@pytest.mark.parametrize("error", ["nul \x00", "lone \ud800", "😀" * 1000])
async def test_the_text_of_any_error_is_kept_as_far_as_it_can_be(log, stream, hands, letter, error):
    [dead] = await bury(log, hands, letter, 1, error=error)
    assert dead.error.startswith(error[:4])
    await hands.append(log, 2)
    stream.acknowledge((await hands.fetch(stream, 1))[0])
    [lag] = await log.lag()
    assert (lag.waiting, lag.dead) == (0, 1)


async def test_letters_go_with_the_subscription(log, stream, hands, letter):
    await bury(log, hands, letter, 1)
    await log.retract("mail")
    assert await log.letters() == []
