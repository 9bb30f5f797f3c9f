# ruff: noqa: PT012 - what raises is the end of a block
"""One suite for the transactions of every database engine."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

import pytest

from nexus.errors import (
    TransactionEnded,
    TransactionReadOnly,
    UniqueViolation,
)

WITHOUT_MEMORY = pytest.mark.parametrize(
    "engine", ["sqlite", "postgresql", "mariadb"], indirect=True
)
SERVERS = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)


class OnPurposeError(Exception):
    """Raised to see what it undoes."""


async def outside(work: Callable[[], Awaitable[Any]]) -> Any:
    """Do something outside the transaction that is open."""
    return await asyncio.get_running_loop().create_task(_call(work), context=Context())


async def _call(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


async def test_what_a_block_does_is_committed_together(things: Any) -> None:
    async with things.database.transaction() as transaction:
        await things.add(1)
        await transaction.execute(things.insert, (2, "two"))
        assert await things.numbers() == [1, 2]

    assert await things.numbers() == [1, 2]


async def test_an_exception_rolls_everything_back(things: Any) -> None:
    with pytest.raises(OnPurposeError):
        async with things.database.transaction():
            await things.add(1)
            await things.add_many([2, 3])
            raise OnPurposeError

    assert await things.numbers() == []


@WITHOUT_MEMORY
async def test_nobody_else_sees_what_is_not_committed(things: Any) -> None:
    async with things.database.transaction():
        await things.add(1)
        seen = await outside(things.numbers)

    assert seen == []
    assert await outside(things.numbers) == [1]


async def test_a_statement_that_fails_leaves_the_transaction_usable(things: Any) -> None:
    async with things.database.transaction() as transaction:
        await things.add(1)
        with pytest.raises(UniqueViolation):
            await things.add(1)
        with pytest.raises(UniqueViolation):
            await things.add_many([2, 3, 1])
        with pytest.raises(Exception, match=r"."):
            await transaction.fetch_all("SELECT nothing FROM nowhere")
        with pytest.raises(Exception, match=r"."):
            await transaction.execute("SELEKT 1")
        assert await things.numbers() == [1]
        await things.add(4)

    assert await things.numbers() == [1, 4]


async def test_the_last_statement_may_fail(things: Any) -> None:
    async with things.database.transaction():
        await things.add(1)
        with pytest.raises(UniqueViolation):
            await things.add(1)

    assert await things.numbers() == [1]


async def test_a_nested_block_is_undone_alone(things: Any) -> None:
    async with things.database.transaction():
        await things.add(1)
        with pytest.raises(OnPurposeError):
            async with things.database.transaction():
                await things.add(2)
                async with things.database.transaction():
                    await things.add(3)
                raise OnPurposeError
        async with things.database.transaction():
            await things.add(4)
            with pytest.raises(UniqueViolation):
                async with things.database.transaction():
                    await things.add(5)
                    await things.add(4)
            await things.add(6)

    assert await things.numbers() == [1, 4, 6]


async def test_a_nested_block_may_end_with_a_failed_statement(things: Any) -> None:
    async with things.database.transaction():
        with pytest.raises(UniqueViolation):
            async with things.database.transaction():
                await things.add(1)
                await things.add(1)
        async with things.database.transaction():
            with pytest.raises(UniqueViolation):
                await things.add_many([2, 2])
            await things.add(3)
        await things.add(4)

    assert await things.numbers() == [3, 4]


async def test_the_outer_transaction_can_be_used_by_name_inside_a_nested_block(things: Any) -> None:
    async with things.database.transaction() as outer:
        with pytest.raises(OnPurposeError):
            async with things.database.transaction():
                await outer.execute(things.insert, (1, "one"))
                assert await outer.fetch_one("SELECT id FROM things") is not None
                raise OnPurposeError

    assert await things.numbers() == []


async def test_an_exception_outside_undoes_what_nested_blocks_did(things: Any) -> None:
    with pytest.raises(OnPurposeError):
        async with things.database.transaction():
            async with things.database.transaction():
                await things.add(1)
            raise OnPurposeError

    assert await things.numbers() == []


async def test_tasks_of_a_block_are_part_of_it(things: Any) -> None:
    with pytest.raises(OnPurposeError):
        async with things.database.transaction():
            await asyncio.gather(*(things.add(number) for number in range(20)))
            assert await things.count() == 20
            raise OnPurposeError

    assert await things.numbers() == []


async def test_nested_blocks_of_sibling_tasks_do_not_disturb_each_other(things: Any) -> None:
    async def nested(number: int) -> None:
        async with things.database.transaction():
            await things.add(number)
            await asyncio.sleep(0)
            await things.add(number + 100)
            if number % 2:
                raise OnPurposeError

    async with things.database.transaction():
        answers = await asyncio.gather(
            *(nested(number) for number in range(10)), return_exceptions=True
        )

    assert [isinstance(answer, OnPurposeError) for answer in answers] == [False, True] * 5
    assert await things.numbers() == [0, 2, 4, 6, 8, 100, 102, 104, 106, 108]


@WITHOUT_MEMORY
async def test_a_task_that_is_still_at_work_cannot_write_behind_the_end(things: Any) -> None:
    with pytest.raises(OnPurposeError):
        async with things.database.transaction() as transaction:

            async def write() -> None:
                for number in range(100_000):
                    await transaction.execute(things.insert, (number, f"n{number}"))

            sibling = asyncio.create_task(write())
            await asyncio.sleep(0.02)
            raise OnPurposeError
    with pytest.raises(TransactionEnded):
        await sibling

    assert await things.numbers() == []


async def test_a_transaction_cannot_be_used_after_its_block(things: Any) -> None:
    async with things.database.transaction() as transaction:
        pass

    assert not transaction.is_open
    with pytest.raises(TransactionEnded):
        await transaction.execute(things.insert, (1, "one"))
    with pytest.raises(TransactionEnded):
        await transaction.fetch_one("SELECT id FROM things")


async def test_a_transaction_that_only_reads_refuses_changes(things: Any) -> None:
    await things.add(1)

    async with things.database.transaction(read_only=True) as transaction:
        assert await things.numbers() == [1]
        with pytest.raises(TransactionReadOnly):
            await things.add(2)
        with pytest.raises(TransactionReadOnly):
            await transaction.execute_many(things.insert, [(2, "two")])
        with pytest.raises(TransactionReadOnly):
            async with things.database.transaction():
                pass
        assert await things.numbers() == [1]

    assert await things.numbers() == [1]
    assert await things.add(2) == 1


@WITHOUT_MEMORY
async def test_the_database_itself_refuses_changes_in_a_lease_that_only_reads(
    things: Any,
) -> None:
    lease = await things.database.begin(read_only=True)
    try:
        with pytest.raises(Exception, match=r"."):
            await lease.execute(things.insert, (1, "one"))
    finally:
        await lease.rollback()

    assert await things.numbers() == []
    assert await things.add(1) == 1


async def test_functions_are_called_after_the_outermost_commit_only(things: Any) -> None:
    called: list[str] = []

    async def note() -> None:
        called.append(f"saw {await things.numbers()}")

    async with things.database.transaction() as transaction:
        await things.add(1)
        transaction.after_commit(lambda: called.append("outer"))
        async with things.database.transaction() as nested:
            nested.after_commit(note)
        with pytest.raises(OnPurposeError):
            async with things.database.transaction() as undone:
                undone.after_commit(lambda: called.append("undone"))
                raise OnPurposeError
        assert called == []

    assert called == ["outer", "saw [1]"]
    with pytest.raises(OnPurposeError):
        async with things.database.transaction() as failing:
            failing.after_commit(lambda: called.append("failing"))
            raise OnPurposeError
    assert len(called) == 2


@WITHOUT_MEMORY
async def test_two_transactions_at_once_both_commit(things: Any) -> None:
    async def write(first: int) -> None:
        async with things.database.transaction():
            for number in range(first, first + 10):
                await things.add(number)
                await asyncio.sleep(0)

    await asyncio.gather(write(0), write(100), write(200))

    assert await things.count() == 30
