# ruff: noqa: PT012 - what raises is the end of a block
"""What cancellations, time limits and deadlocks leave behind, on every database engine."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from nexus.data.database import Database, Limits
from nexus.errors import TransactionEnded, TransactionExpired

WITHOUT_MEMORY = pytest.mark.parametrize(
    "engine", ["sqlite", "postgresql", "mariadb"], indirect=True
)
SERVERS = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)


class OnPurposeError(Exception):
    """Raised to see what it undoes."""


async def test_a_cancellation_rolls_everything_back(things: Any) -> None:
    started = asyncio.Event()

    async def write_and_wait() -> None:
        async with things.database.transaction():
            await things.add(1)
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await things.numbers() == []


@WITHOUT_MEMORY
async def test_a_cancellation_in_the_middle_of_a_statement_rolls_everything_back(
    things: Any,
) -> None:
    async def write_and_wait() -> None:
        async with things.database.transaction() as transaction:
            await things.add(1)
            started.set()
            await transaction.fetch_all(things.slow)

    started = asyncio.Event()
    task = asyncio.create_task(write_and_wait())
    await started.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await things.numbers() == []
    assert await things.add(1) == 1  # no lock was left behind


@SERVERS
async def test_a_statement_that_is_cancelled_is_stopped_at_the_server(things: Any) -> None:
    running = {
        "postgresql": "SELECT COUNT(*) FROM pg_stat_activity"
        " WHERE query LIKE '%pg_sleep(10)%' AND state = 'active' AND pid <> pg_backend_pid()",
        "mariadb": "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE info LIKE '%%SLEEP(10)%%' AND db = DATABASE() AND id <> CONNECTION_ID()",
    }[things.database.engine]

    async def is_running() -> bool:
        return bool((await things.database.fetch_one(running))[0])

    task = asyncio.create_task(things.database.fetch_all(things.slow))
    while not await is_running():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with asyncio.timeout(5):
        while await is_running():
            await asyncio.sleep(0.02)


async def test_a_statement_that_is_given_up_leaves_the_transaction_usable_or_ends_it(
    things: Any,
) -> None:
    if things.database.engine != "postgresql":
        pytest.skip("the others finish a statement or lose the connection")
    async with things.database.transaction() as transaction:
        await things.add(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await transaction.fetch_all(things.slow)
        await things.add(2)

    assert await things.numbers() == [1, 2]


@WITHOUT_MEMORY
async def test_a_transaction_that_is_open_for_too_long_is_rolled_back(
    open_database: Any, things_in: Callable[[Database], Any]
) -> None:
    things = things_in(await open_database(Limits(transaction=0.2)))
    await things.create()

    with pytest.raises(TransactionExpired):
        async with things.database.transaction():
            await things.add(1)
            await asyncio.sleep(0.4)

    assert await things.numbers() == []
    with pytest.raises(TransactionExpired):
        async with things.database.transaction():
            await things.add(1)
            await asyncio.sleep(0.4)
            await things.add(2)
    assert await things.numbers() == []
    assert await things.add(1) == 1


@SERVERS
async def test_a_statement_that_outlasts_its_transaction_is_cut_off(
    open_database: Any, things_in: Callable[[Database], Any]
) -> None:
    things = things_in(await open_database(Limits(transaction=0.3)))
    await things.create()

    async with asyncio.timeout(5):
        with pytest.raises(TransactionExpired):
            async with things.database.transaction() as transaction:
                await things.add(1)
                await transaction.fetch_all(things.slow)
        assert await things.add(1) == 1  # the lock has gone with it


@SERVERS
async def test_a_lease_is_given_back_once_however_often_it_is_rolled_back(things: Any) -> None:
    database = things.database
    before = database.figures()
    lease = await database.begin()
    await lease.execute(things.insert, (1, "one"))
    running = asyncio.create_task(lease.fetch_all(things.slow))
    await asyncio.sleep(0.05)

    async with asyncio.timeout(5):
        await asyncio.gather(lease.rollback(), lease.rollback())
        await lease.rollback()
        with pytest.raises(TransactionEnded):
            await running
        with pytest.raises(TransactionEnded):
            await lease.execute(things.insert, (1, "one"))
        await settled(database)

    after = database.figures()
    assert after["pool_in_use"] == before["pool_in_use"] == 0
    assert await things.numbers() == []


async def settled(database: Database) -> None:
    """Wait until every connection is back in the pool."""
    while database.figures().get("pool_in_use", 0):
        await asyncio.sleep(0.01)


@WITHOUT_MEMORY
async def test_a_thousand_transactions_leave_the_pool_as_it_was(things: Any) -> None:
    database = things.database

    async def several(first: int) -> None:
        for number in range(first, first + 100):
            with suppress(OnPurposeError):
                async with database.transaction():
                    await things.add(number)
                    if number % 3 == 0:
                        raise OnPurposeError

    await asyncio.gather(*(several(first) for first in range(0, 1000, 100)))

    assert await things.count() == sum(number % 3 != 0 for number in range(1000))
    await settled(database)
    figures = database.figures()
    assert figures.get("pool_idle", 0) <= figures["pool_size"]


async def one_of_several(things: Any, number: int) -> None:
    """Do what callers do: one of five things, by the number."""
    match number % 5:
        case 0:
            await things.add(number)
        case 1:
            await things.numbers()
        case 2:
            async with things.database.transaction():
                await things.add(number)
                async with things.database.transaction():
                    await things.add(number + 10_000)
        case 3:
            await things.add_many(batch_of(number))
        case _:
            async for _ in things.database.stream("SELECT id FROM things", chunk=3):
                await asyncio.sleep(0)


def batch_of(number: int) -> range:
    return range(number * 1000 + 100_000, number * 1000 + 100_020)


@WITHOUT_MEMORY
@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_cancellations_leaves_a_database_that_works(
    things: Any, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing depends on it
    tasks = [asyncio.create_task(one_of_several(things, number)) for number in range(200)]
    for task in chance.sample(tasks, len(tasks)):
        await asyncio.sleep(chance.choice([0, 0, 0, 0.001, 0.003]))
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(answer) for answer in answers} <= {asyncio.CancelledError, type(None)}
    async with asyncio.timeout(20):
        await settled(things.database)
        await asyncio.gather(*(things.add(1_000_000 + number) for number in range(40)))
    numbers = set(await things.numbers())
    assert set(range(1_000_000, 1_000_040)) <= numbers
    for number in range(2, 200, 5):  # both rows of a transaction, or none
        assert (number in numbers) == (number + 10_000 in numbers)
    for number in range(3, 200, 5):
        assert len(numbers & set(batch_of(number))) in {0, 20}


@SERVERS
async def test_transactions_that_wait_for_each_other_do_not_wait_forever(things: Any) -> None:
    await things.add_many([1, 2])
    update = things.sql("UPDATE things SET name = ? WHERE id = ?")
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with things.database.transaction() as transaction:
            await transaction.execute(update, (f"a{first}", first))
            await both.wait()
            await transaction.execute(update, (f"b{first}", second))

    async with asyncio.timeout(20):
        answers = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)

    failed = [answer for answer in answers if answer is not None]
    assert len(failed) == 1
    assert "give way" in str(failed[0])
    assert await things.count() == 2


@SERVERS
async def test_a_deadlocks_victim_commits_nothing_of_what_follows(things: Any) -> None:
    await things.add_many([1, 2])
    update = things.sql("UPDATE things SET name = ? WHERE id = ?")
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with things.database.transaction() as transaction:
            await transaction.execute(update, (f"a{first}", first))
            await both.wait()
            try:
                await transaction.execute(update, (f"b{first}", second))
            finally:
                await things.add(first + 100)

    async with asyncio.timeout(20):
        await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)

    assert len(await things.numbers()) == 3


@SERVERS
async def test_upserts_of_the_same_rows_at_once_all_succeed(things: Any) -> None:
    upsert = {
        "postgresql": "INSERT INTO things VALUES ($1, $2)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "mariadb": "INSERT INTO things VALUES (%s, %s) ON DUPLICATE KEY UPDATE name = VALUES(name)",
    }[things.database.engine]

    await asyncio.gather(
        *(things.database.execute(upsert, (n % 5, f"s{n % 5}")) for n in range(100)),
        *(
            things.database.execute_many(
                upsert, [(n, f"t{n}") for n in random.sample(range(20), 20)]
            )
            for _ in range(3)
        ),
    )

    assert await things.count() == 20
