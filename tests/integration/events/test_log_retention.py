# ruff: noqa: PT012 - what raises is the end of a block
"""What every engine promises about what is kept, and for how long."""

import time
from typing import Any

import pytest

from nexus.errors import EventLogFull
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
DAY = 86_400 * 10**9


def old(number: int, days: int = 8) -> Event:
    event = Event("user.created", {"n": number})
    event._time_ns -= days * DAY
    return event


async def append_old(log: Any, *numbers: int, days: int = 8) -> None:
    for number in numbers:
        await log.append(old(number, days))


async def test_what_all_have_handled_goes_when_it_is_old(store, log, hands):
    await log.declare("mail", ["user.*"])
    await append_old(log, 1, 2)
    await hands.append(log, 3)
    await hands.fetch(log.stream(KEY), 3, acknowledge=True)
    await log.lag()
    await store.tidy(log)
    assert hands.numbers(await log.read()) == [3]
    assert log.figures()["removed_total"] == 2


async def test_what_one_has_not_handled_stays(store, log, hands):
    await log.declare("mail", ["user.*"])
    await log.declare("audit", ["user.*"])
    await append_old(log, 1, 2, 3)
    await hands.fetch(log.stream(KEY), 3, acknowledge=True)
    stream = log.stream(SubscriptionKey("audit", "user.*"))
    await hands.fetch(stream, 1, acknowledge=True)
    await log.lag()
    await store.tidy(log)
    assert hands.numbers(await log.read()) == [2, 3]


async def test_an_enabled_plugins_events_never_go(store, log, hands):
    await log.declare("mail", ["user.*"])
    await log.set_enabled({"mail": True})
    await append_old(log, 1, days=1000)
    await store.tidy(log)
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [1]


async def test_a_disabled_plugins_events_go_when_they_are_too_old(store, hands):
    log = await store.open(alone=True, retention=0.0)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    await log.set_enabled({"mail": False})
    await store.tidy(log)
    await log.set_enabled({"mail": True})
    assert await hands.nothing_comes(log.stream(KEY), log)


async def test_a_plugin_that_has_just_been_disabled_loses_nothing(store, log, hands):
    await log.declare("mail", ["user.*"])
    await append_old(log, 1)
    await log.set_enabled({"mail": False})
    await store.tidy(log)
    await log.set_enabled({"mail": True})
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [1]


async def test_a_plugin_that_is_declared_while_it_is_disabled_counts_as_such(store, hands):
    log = await store.open(alone=True, retention=0.0)
    await log.set_enabled({"mail": False})
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    await store.tidy(log)
    [lag] = await log.lag()
    assert (lag.enabled, lag.waiting) == (False, 0)


async def test_a_disabled_plugins_events_go_though_the_process_that_had_them_died(store, hands):
    log = await store.open(alone=True, lease=0.1)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    await hands.fetch(log.stream(KEY), 1)
    await store.abandon(log)
    again = await store.open(alone=True, retention=0.0, lease=0.01)
    await again.set_enabled({"mail": False})
    while await again.read():
        await store.tidy(again)


async def test_what_was_handled_goes_early_where_there_is_too_much(store, hands):
    log = await store.open(alone=True, size_limit=100_000)
    await log.declare("mail", ["user.*"])
    for number in range(40):
        await log.append(Event("user.created", {"n": number, "text": "x" * 5_000}))
        await hands.fetch(log.stream(KEY), 1, acknowledge=True)
    # The last one may be over the limit, which the next one would find.
    assert log.figures()["log_bytes"] < 100_000 + 6_000
    numbers = hands.numbers(await log.read())
    assert numbers == list(range(numbers[0], 40))
    assert numbers[0] > 10


async def test_publishing_fails_when_nothing_may_go(store, hands):
    log = await store.open(alone=True, size_limit=100_000)
    await log.declare("mail", ["user.*"])
    given = 0
    with pytest.raises(EventLogFull) as refusal:
        while given < 100:
            await log.append(Event("user.created", {"n": given, "text": "ü" * 5_000}))
            given += 1
    assert given in (9, 10)
    assert refusal.value.data["limit"] == 100_000
    # As soon as something was handled, there is room again.
    events = await hands.fetch(log.stream(KEY), given, acknowledge=True)
    assert hands.numbers(events) == list(range(given))
    await log.lag()
    await store.tidy(log)
    await log.append(Event("user.created", {"n": given}))
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [given]


async def test_a_full_log_fails_a_transaction_at_once_and_wholly(store, hands):
    log = await store.open(alone=True, size_limit=20_000)
    database = store.database(log)
    await log.declare("mail", ["user.*"])
    with pytest.raises(EventLogFull):
        while True:
            await log.append(Event("user.created", {"text": "x" * 5_000}))
    count = len(await log.read())
    began = time.monotonic()
    with pytest.raises(EventLogFull):
        async with database.transaction():
            await log.append(Event("user.created", {"n": 1}))
    assert time.monotonic() - began < database.transaction_limit / 2
    assert len(await log.read()) == count
