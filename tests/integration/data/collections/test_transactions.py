"""Collections and key-value data in one transaction."""

import asyncio

import pytest

from nexus.data import MISSING, SqlKeyValueStore
from nexus.data.collections import Collection
from nexus.data.database import Database
from nexus.errors import DuplicateKey, InvalidChange, TransactionReadOnly, VersionConflict


class Undo(Exception):
    """Ends a block."""


async def test_documents_and_data_are_rolled_back_together(
    items: Collection, database: Database
) -> None:
    store = SqlKeyValueStore(database)
    kept = await items.insert({"price": 1})

    async def work() -> None:
        async with database.transaction():
            await items.insert({"price": 2})
            await items.insert_many([{"price": 3}, {"price": 4}])
            await items.update(kept, {"price": 5})
            await items.update({"price": 2}, {"price": 6})
            await items.upsert({"sku": "a"}, {"price": 7})
            await items.replace(kept, {"price": 8})
            await store.set("shop", "key", 1)
            assert sorted([each["price"] for each in await items.find()]) == [3, 4, 6, 7, 8]
            assert [each["price"] async for each in items.stream(sort="price")] == [3, 4, 6, 7, 8]
            assert await items.delete({}) == 5
            raise Undo

    with pytest.raises(Undo):
        await work()
    assert await items.find() == [{"_id": kept, "_version": 1, "price": 1}]
    assert await store.get("shop", "key") is MISSING


async def test_all_of_it_is_committed(items: Collection, database: Database) -> None:
    store = SqlKeyValueStore(database)
    async with database.transaction():
        document_id = await items.insert({"price": 1})
        await items.update(document_id, {"price": 2})
        await store.set("shop", "last", document_id)

    assert await store.get("shop", "last") == document_id
    assert await items.count({"price": 2}) == 1


async def test_a_transaction_goes_on_after_an_error_that_was_caught(
    items: Collection, database: Database
) -> None:
    await items.insert({"sku": "taken"})
    async with database.transaction():
        first = await items.insert({"sku": "a"})
        for call in (
            items.insert({"sku": "taken"}),
            items.insert_many([{"sku": "b"}, {"sku": "taken"}]),
            items.update(first, {"sku": "taken"}),
            items.upsert({"price": 7}, {"sku": "taken"}),
        ):
            with pytest.raises(DuplicateKey) as caught:
                await call
            assert caught.value.value == ("taken",)
        with pytest.raises(VersionConflict):
            await items.update(first, {"price": 1}, expected_version=9)
        with pytest.raises(InvalidChange):
            await items.update({"sku": "a"}, {"sku.x": 1})
        assert await items.update("gone", {"price": 1}) == 0
        await items.update(first, {"price": 1})
        await items.insert({"sku": "c"})

    assert [each["sku"] for each in await items.find(sort="sku")] == ["a", "c", "taken"]


async def test_an_inner_block_is_undone_alone(items: Collection, database: Database) -> None:
    async def inner() -> None:
        async with database.transaction():
            await items.update({"price": 1}, {"price": 2})
            raise Undo

    async with database.transaction():
        await items.insert({"price": 1})
        with pytest.raises(Undo):
            await inner()
        await items.upsert({"sku": "b"}, {"price": 3})

    assert [each["price"] for each in await items.find(sort="price")] == [1, 3]


async def test_a_transaction_that_only_reads_refuses_changes(
    items: Collection, database: Database
) -> None:
    document_id = await items.insert({"price": 1})
    async with database.transaction(read_only=True):
        assert await items.count() == 1
        for call in (
            items.insert({}),
            items.update(document_id, {"a": 1}),
            items.update({}, {"a": 1}),
            items.delete(document_id),
        ):
            with pytest.raises(TransactionReadOnly):
                await call


async def test_a_cancelled_block_leaves_nothing(items: Collection, database: Database) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with database.transaction():
            await items.insert({"price": 1})
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await items.count() == 0


async def test_tasks_of_one_block_take_turns(items: Collection, database: Database) -> None:
    document_id = await items.insert({"sku": "a"})
    async with database.transaction():
        await asyncio.gather(
            *(items.update(document_id, {f"n{number}": number}) for number in range(10)),
            *(items.insert({"price": number}) for number in range(10)),
            *(items.upsert({"sku": "a"}, {f"m{number}": number}) for number in range(10)),
        )

    assert await items.count() == 11
    found = await items.get(document_id)
    assert found is not None
    assert found["_version"] == 21
