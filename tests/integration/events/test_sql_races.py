"""Races of the log on a database that only happen when steps meet: here they are made to meet."""

import asyncio
from typing import Any

import pytest

from nexus.events.durable.acknowledgements import Acknowledgements
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

pytestmark = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)

KEY = SubscriptionKey("mail", "user.*")


async def test_events_that_a_sink_refused_come_before_those_that_follow(log, hands):
    taken: list[Event] = []

    def sink(events: list[Event]) -> bool:
        if events[0].name == "user.large":
            return False
        taken.extend(events)
        return True

    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    await hands.append(log, 0)
    await hands.fetch(stream, 1, acknowledge=True)
    stream.set_sink(sink)
    fetching = asyncio.create_task(stream.fetch(10))
    async with asyncio.timeout(20):
        while stream._waiting is None:
            await asyncio.sleep(0)
        await asyncio.gather(
            log.append(Event("user.large", {"n": 1})), log.append(Event("user.small", {"n": 2}))
        )
        assert hands.numbers(await fetching) == [1, 2]
    assert taken == []


async def test_an_idle_cursor_is_not_moved_over_a_replay(store, log, hands, monkeypatch):
    await log.declare("mail", ["user.*"])
    await log.declare("other", ["order.*"])
    stream, database = log.stream(KEY), store.database(log)
    given = await hands.append(log, 1, 2)
    await hands.fetch(stream, 2, acknowledge=True)
    await log.lag()
    await hands.append(log, 3, name="order.made")
    execute = database.execute

    async def execute_late(statement: str, parameters: Any = ()) -> int:
        monkeypatch.undo()
        assert await log.replay(KEY, given[0].time_ns) == 2
        asyncio.get_running_loop().call_later(0.05, fetching.cancel)
        with pytest.raises(asyncio.CancelledError):
            await fetching  # the lease is taken again by now
        return int(await execute(statement, parameters))

    fetching = asyncio.create_task(_hold(stream))
    await asyncio.sleep(0)
    monkeypatch.setattr(database, "execute", execute_late)
    await log._keeper.move_idle_on()
    await stream.leave()
    assert hands.numbers(await hands.fetch(stream, 2)) == [1, 2]


async def _hold(stream: Any) -> None:
    """Fetch, and give everything back at the end."""
    while True:
        events = await stream.fetch(10)
        try:
            await asyncio.sleep(3600)
        finally:
            for event in events:
                stream.release(event)


async def test_a_letter_whose_failure_is_still_to_be_stored_is_not_read_again(log, hands, letter):
    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    await hands.append(log, 1)
    stream.bury(letter(KEY, (await hands.fetch(stream, 1))[0]))
    [dead] = await log.letters()
    await log.retry([dead.id])
    [event] = await hands.fetch(stream, 1)
    async with log.acknowledgements._lock:  # nothing is stored meanwhile
        stream.bury(letter(KEY, event))
        log.look_for_letters()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await stream.fetch(1)
    assert [each.attempts for each in await log.letters()] == [6]


async def test_what_others_handled_before_it_was_seen_is_not_delivered(two, hands, monkeypatch):
    a, b = two
    await a.declare("mail", ["user.*"])
    monkeypatch.setattr(b.tail, "read", lambda: None)  # it hears nothing for a while
    await hands.append(a, 1, 2, 3)
    events = await hands.fetch(a.stream(KEY), 3)
    for event in (events[0], events[2]):
        a.stream(KEY).acknowledge(event)
    await a.stream(KEY).leave()
    fetching = asyncio.create_task(b.stream(KEY).fetch(10))
    async with asyncio.timeout(20):
        while not b.stream(KEY).is_live:
            await asyncio.sleep(0.01)
        monkeypatch.undo()
        b.tail.read()
        assert hands.numbers(await fetching) == [2]


async def test_a_death_is_not_blamed_on_what_was_handled_before(store, hands, monkeypatch):
    async def store_nothing(_self: Any) -> None:
        await asyncio.sleep(3600)

    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, *range(4))
    await hands.fetch(log.stream(KEY), 1)
    monkeypatch.setattr(Acknowledgements, "_run", store_nothing)
    for _ in range(4):
        await store.abandon(log)
        log = await store.open(alone=True, max_crashes=2)
        stream = log.stream(KEY)
        async with asyncio.timeout(20):
            while not log.figures()["dead_letters_total"]:
                try:
                    async with asyncio.timeout(0.5):
                        [event] = await stream.fetch(10)
                except TimeoutError:
                    break
                if event.data["n"] == 2:
                    break  # the death
                stream.acknowledge(event)
    [letter] = await log.letters()
    assert letter.event.data["n"] == 2
