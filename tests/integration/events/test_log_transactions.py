# ruff: noqa: PT012 - what raises is the end of a block
"""What is published in a transaction is in the log if and only if that commits."""

import asyncio

import pytest

from nexus.data.database import Limits
from nexus.data.engines.opening import make_database
from nexus.errors import TransactionExpired
from nexus.events.durable import DurableLog
from nexus.events.event import Event
from nexus.events.log import LogSettings, SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")


@pytest.fixture
async def database(store, log):
    await log.declare("mail", ["user.*"])
    return store.database(log)


async def test_events_of_a_transaction_come_with_its_commit(log, database, hands):
    stream = log.stream(KEY)
    async with hands.fetching(stream) as found:
        async with database.transaction():
            await hands.append(log, 1, 2)
            assert await log.read() == []
            await asyncio.sleep(0.05)
            assert found == []
        async with asyncio.timeout(20):
            while len(found) < 2:
                await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1, 2]


async def test_events_of_a_block_that_raises_are_never_there(log, database, hands):
    with pytest.raises(KeyError):
        async with database.transaction():
            await hands.append(log, 1)
            raise KeyError
    assert await hands.nothing_comes(log.stream(KEY), log)
    assert len(await log.read()) == 1  # the mark


async def test_a_savepoint_takes_only_its_own_events_back(log, database, hands):
    async with database.transaction():
        await hands.append(log, 1)
        with pytest.raises(KeyError):
            async with database.transaction():
                await hands.append(log, 2)
                raise KeyError
        async with database.transaction():
            await hands.append(log, 3)
    events = await hands.fetch(log.stream(KEY), 2)
    assert hands.numbers(events) == [1, 3]
    assert events[0].position < events[1].position


async def test_a_transaction_that_only_reads_holds_no_event_back(log, database, hands):
    async with database.transaction(read_only=True) as transaction:
        await hands.append(log, 1)
        assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [1]
        assert transaction.is_open


async def test_events_of_a_transaction_that_was_open_for_too_long_are_never_there(
    store, log, database, hands
):
    short = make_database(store.url, limits=Limits(transaction=0.1))
    await short.open()
    other = DurableLog(short, store.journal(short), LogSettings(alone=True))
    await other.open()
    try:
        with pytest.raises(TransactionExpired):
            async with short.transaction():
                await other.append(Event("user.created", {"n": 1}))
                await asyncio.sleep(0.3)
        await other.append(Event("user.created", {"n": 2}))
        assert hands.numbers(await other.read()) == [2]
    finally:
        await other.close()
        await short.close()


async def test_an_event_from_inside_comes_after_those_that_were_committed_meanwhile(
    log, database, hands
):
    if database.engine == "sqlite":
        pytest.skip("SQLite has one writer: nobody else appends meanwhile")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction():
            await hands.append(log, 1)
            begun.set()
            await go_on.wait()

    task = asyncio.create_task(slow())
    await begun.wait()
    await hands.append(log, 2)  # which does not wait for the other one
    go_on.set()
    await task
    events = await hands.fetch(log.stream(KEY), 2)
    assert hands.numbers(events) == [2, 1]
    assert events[0].position < events[1].position


async def test_what_else_happens_in_the_log_is_no_part_of_a_transaction_around_it(
    log, database, hands, letter
):
    await hands.append(log, 1, 2)
    stream = log.stream(KEY)
    events = await hands.fetch(stream, 2)
    stream.acknowledge(events[0])
    stream.bury(letter(KEY, events[1]))
    with pytest.raises(KeyError):
        async with database.transaction():
            await log.letters()
            await log.lag()
            raise KeyError
    assert len(await log.letters()) == 1
    [lag] = await log.lag()
    assert (lag.waiting, lag.dead) == (0, 1)


async def test_many_events_of_one_transaction_are_together_and_in_order(log, database, hands):
    await log.declare("mail", ["**"])

    async def publish(number: int) -> None:
        async with database.transaction():
            for part in range(40):
                await log.append(Event("user.created", {"n": [number, part]}))

    await asyncio.gather(*(publish(number) for number in range(5)))
    numbers = hands.numbers(await hands.fetch(log.stream(KEY), 200))
    firsts = [each[0] for each in numbers[::40]]
    assert sorted(firsts) == list(range(5))
    assert numbers == [[number, part] for number in firsts for part in range(40)]
