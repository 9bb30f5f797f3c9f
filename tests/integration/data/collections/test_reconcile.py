"""Indexes follow what is declared, whatever was there before and whoever else is at it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nexus.data.collections import Collections, read_collections
from nexus.data.collections.definitions.definition import FoundTable
from nexus.data.collections.engine import definition_of
from nexus.data.collections.table import is_key_column
from nexus.data.database import Database
from nexus.data.transaction import Transaction
from nexus.errors import (
    DuplicateKey,
    IndexedValueTooLong,
    IndexNotUnique,
    NotACollection,
)

BY_PRICE = [{"field": "price"}]
BY_SKU = [{"field": "sku", "unique": True}]
Look = Callable[[], Awaitable[FoundTable]]


def collections(database: Database, indexes: list[Any], name: str = "items") -> Collections:
    return Collections(database, "shop", read_collections({name: {"indexes": indexes}}))


@pytest.fixture
def look(database: Database) -> Look:
    async def look() -> FoundTable:
        found = await definition_of(database.engine).find(database, "shop__items")
        assert found is not None
        return found

    return look


def own(found: FoundTable) -> tuple[int, int]:
    """The number of key columns, and of indexes of ours, the marker included."""
    return (
        len([name for name in found.columns if is_key_column(name)]),
        len([name for name in found.indexes if name.startswith("shop__items__")])
        - ("shop__items__pk" in found.indexes),
    )


DOCUMENTS = [
    {"price": n % 7, "sku": f"s{n}", "kind": "even" if n % 2 == 0 else None} for n in range(450)
]


async def test_an_index_is_added_to_documents_and_removed(database: Database, look: Look) -> None:
    first = collections(database, [])
    await first.reconcile()
    await first["items"].insert_many(DOCUMENTS)
    assert own(await look()) == (0, 0)

    more = collections(database, [*BY_PRICE, *BY_SKU, {"fields": ["kind", "price"]}])
    await more.reconcile()
    assert own(await look()) == (3, 3)
    assert await more["items"].count({"price": 3}) == 64
    assert await more["items"].count({"kind": "even", "price": {"$gte": 5}}) == 64
    assert (await more["items"].find_one({"sku": "s449"}) or {})["_version"] == 1
    with pytest.raises(DuplicateKey):
        await more["items"].insert({"sku": "s449"})

    less = collections(database, BY_PRICE)
    await less.reconcile()
    assert own(await look()) == (1, 1)
    await less["items"].insert({"sku": "s449"})
    assert await less["items"].count({"price": 3}) == 64
    assert await less["items"].count() == 451


async def test_when_nothing_differs_nothing_is_touched(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await collections(database, BY_PRICE).reconcile()

    def refuse(*_: Any, **__: Any) -> Any:
        pytest.fail("a statement that changes something")

    for name in ("execute", "execute_many", "transaction", "begin"):
        monkeypatch.setattr(database, name, refuse)
    await collections(database, BY_PRICE).reconcile()


async def test_a_field_that_comes_back_is_filled_again(database: Database) -> None:
    await collections(database, BY_PRICE).reconcile()
    await collections(database, BY_PRICE)["items"].insert_many(DOCUMENTS)
    await collections(database, []).reconcile()

    again = collections(database, BY_PRICE)
    await again.reconcile()

    assert await again["items"].count({"price": 3}) == 64


async def test_unique_over_duplicates_fails_and_leaves_everything(
    database: Database, look: Look
) -> None:
    old = collections(database, [*BY_PRICE, {"field": "kind"}])
    await old.reconcile()
    await old["items"].insert_many(
        [*DOCUMENTS, {"_id": "a", "sku": "twin"}, {"_id": "b", "sku": "twin"}]
    )
    before = [each async for each in old.dump("items")]

    both = [{"fields": ["price", "kind"], "unique": True}]
    with pytest.raises(IndexNotUnique) as caught:
        await collections(database, both).reconcile()
    assert caught.value.index == ("price", "kind")
    assert len(set(caught.value.ids)) == 2
    with pytest.raises(IndexNotUnique) as caught:
        await collections(database, BY_SKU).reconcile()
    assert (caught.value.index, caught.value.value) == (("sku",), ("twin",))
    assert caught.value.ids == ("a", "b")

    found = await look()
    assert {index.name for index in old._tables["items"].indexes} <= found.indexes
    assert [each async for each in old.dump("items")] == before
    await old["items"].insert({"price": 3})
    assert await old["items"].count({"price": 3}) == 65

    await old["items"].update("b", {"sku": "single"})
    new = collections(database, BY_SKU)
    await new.reconcile()
    assert own(await look()) == (1, 1)
    assert await new["items"].count({"sku": "single"}) == 1


async def test_a_plain_index_becomes_unique_and_plain_again(database: Database, look: Look) -> None:
    plain = [{"field": "sku"}]
    await collections(database, plain).reconcile()
    await collections(database, plain)["items"].insert_many([{"sku": "a"}, {"sku": "b"}, {}])

    await collections(database, BY_SKU).reconcile()
    assert own(await look()) == (1, 1)
    with pytest.raises(DuplicateKey):
        await collections(database, BY_SKU)["items"].insert({"sku": "a"})

    await collections(database, plain).reconcile()
    await collections(database, plain)["items"].insert({"sku": "a"})
    assert await collections(database, plain)["items"].count({"sku": "a"}) == 2


async def test_a_value_that_is_too_long_for_a_new_index_is_named(database: Database) -> None:
    old = collections(database, [])
    await old.reconcile()
    await old["items"].insert_many([{"sku": "a"}, {"_id": "long", "sku": "x" * 701}])

    with pytest.raises(IndexedValueTooLong) as caught:
        await collections(database, BY_SKU).reconcile()

    assert (caught.value.id, caught.value.size, caught.value.limit) == ("long", 701, 700)
    assert await old["items"].count() == 2


async def test_two_at_once(open_database: Any, engine: str, database: Database, look: Look) -> None:
    other = database if engine == "memory" else await open_database()
    await asyncio.gather(
        collections(database, BY_PRICE).reconcile(), collections(other, BY_PRICE).reconcile()
    )
    await collections(database, BY_PRICE)["items"].insert_many(DOCUMENTS)

    await asyncio.gather(*(collections(each, BY_SKU).reconcile() for each in (database, other) * 3))

    assert own(await look()) == (1, 1)
    assert await collections(other, BY_SKU)["items"].count({"sku": "s440"}) == 1


async def test_an_older_generation_writes_until_it_is_relieved(
    database: Database, look: Look
) -> None:
    old = collections(database, [*BY_PRICE, {"field": "kind"}])
    await old.reconcile()
    ids = await old["items"].insert_many(DOCUMENTS)
    new = collections(database, [*BY_PRICE, *BY_SKU])
    await new.prepare()
    assert await new["items"].count({"sku": "s1"}) == 1

    await old["items"].insert({"sku": "late", "price": 3, "kind": "even"})
    await old["items"].update(ids[1], {"sku": "changed"})
    assert await old["items"].count({"kind": "even", "price": 3}) == 33
    with pytest.raises(DuplicateKey):
        await new["items"].insert({"sku": "s2"})
    await new["items"].insert({"sku": "new", "price": 3})
    await new.reconcile()

    assert own(await look()) == (2, 2)
    for sku, count in (("late", 1), ("changed", 1), ("s1", 0), ("new", 1), ("s2", 1)):
        assert await new["items"].count({"sku": sku}) == count
    assert await new["items"].count({"price": 3}) == 66
    assert {each["_version"] for each in await new["items"].find()} == {1, 2}


async def test_what_an_older_generation_writes_is_found_by_new_fields_at_once(
    database: Database,
) -> None:
    old = collections(database, BY_PRICE)
    await old.reconcile()
    ids = await old["items"].insert_many(DOCUMENTS)
    new = collections(database, [*BY_PRICE, {"field": "sku"}])
    await new.prepare()
    items = new["items"]

    await old["items"].insert({"sku": "late", "price": 3})
    await old["items"].update(ids[1], {"sku": "changed"})
    await items.insert({"sku": "late", "price": 4})

    assert [each["price"] for each in await items.find({"sku": "late"}, sort="price")] == [3, 4]
    assert await items.count({"sku": "late", "price": 3}) == 1
    assert await items.count({"sku": {"$in": ["changed", "late"]}}) == 3
    assert await items.count({"sku": "s1"}) == 0
    assert await items.count({"sku": {"$ne": "late"}}) == len(DOCUMENTS)
    assert await items.update({"sku": "changed"}, {"seen": True}) == 1
    assert [each["sku"] for each in await items.find(sort="-sku", limit=2)] == ["s99", "s98"]
    await old["items"].insert({"sku": "z"})
    assert [each["sku"] for each in await items.find(sort="-sku", limit=2)] == ["z", "s99"]
    assert await items.delete({"sku": "z"}) == 1
    await new.reconcile()
    assert await items.count({"sku": "late"}) == 2


async def test_one_duplicate_keeps_no_other_row_from_its_keys(
    database: Database, look: Look
) -> None:
    old = collections(database, [])
    await old.reconcile()
    new = collections(database, BY_SKU)
    await new.prepare()
    await old["items"].insert_many([{"_id": "b", "sku": "b"}, {"_id": "c", "sku": "b"}])
    await old["items"].insert_many([{"sku": f"s{number}"} for number in range(300)])

    with pytest.raises(IndexNotUnique) as caught:
        await new.reconcile()

    assert set(caught.value.ids) == {"b", "c"}
    table = new["items"]._table
    rows = await database.fetch_all(
        f"SELECT id FROM {table.name} WHERE shape <> {table.shape}"  # noqa: S608 - our names
    )
    assert len(rows) == 1
    assert await new["items"].count({"sku": "b"}) == 2
    assert (await look()).indexes >= {table.marker}


async def test_what_a_newer_generation_writes_is_found_by_an_older_one(
    database: Database,
) -> None:
    old = collections(database, [*BY_PRICE, {"field": "kind"}])
    await old.reconcile()
    await old["items"].insert_many(DOCUMENTS)
    new = collections(database, BY_PRICE)
    await new.prepare()

    await new["items"].insert({"kind": "odd", "price": 3})
    await new["items"].update({"kind": "even"}, {"kind": "odd"})

    items = old["items"]
    assert await items.count({"kind": "odd"}) == 226
    assert len(await items.find({"kind": "odd"})) == 226
    assert await items.count({"kind": "even"}) == 0
    assert (await items.find(sort="-kind", limit=1))[0]["kind"] == "odd"
    # Its own definition is what counts again once the newer one is thrown away.
    await old.reconcile()
    assert await items.count({"kind": "odd"}) == 226
    assert items._is_settled


async def test_values_that_an_older_generation_exchanged_are_no_duplicates(
    database: Database, look: Look
) -> None:
    old = collections(database, [])
    await old.reconcile()
    await old["items"].insert_many([{"_id": each, "sku": each} for each in "abcd"])
    new = collections(database, BY_SKU)
    await new.prepare()
    for document_id, sku in zip("abcd", "bcda", strict=True):
        await old["items"].update(document_id, {"sku": sku})

    await new.reconcile()

    assert own(await look()) == (1, 1)
    assert [each["_id"] for each in await new["items"].find(sort="sku")] == ["d", "a", "b", "c"]
    assert (await new["items"].find({"sku": "a"}))[0]["_id"] == "d"
    with pytest.raises(DuplicateKey):
        await new["items"].insert({"sku": "a"})


async def test_a_value_too_long_that_an_older_generation_wrote_keeps_no_other_row_from_its_keys(
    database: Database, look: Look
) -> None:
    old = collections(database, [])
    await old.reconcile()
    new = collections(database, BY_SKU)
    await new.prepare()
    long = "x" * 701
    await old["items"].insert_many([{"sku": "a"}, {"_id": "long", "sku": long}, {"sku": "b"}])

    with pytest.raises(IndexedValueTooLong) as caught:
        await new.reconcile()
    assert caught.value.id == "long"
    table = new["items"]._table
    rows = await database.fetch_all(
        f"SELECT id FROM {table.name} WHERE shape <> {table.shape}"  # noqa: S608 - our names
    )
    assert len(rows) == 1
    assert await new["items"].count({"sku": long}) == 1

    await new["items"].update("long", {"sku": "short"})
    await new.reconcile()
    assert own(await look()) == (1, 1)


async def test_a_generation_starts_over_rows_that_an_index_which_is_there_does_not_take(
    database: Database,
) -> None:
    old = collections(database, [])
    await old.reconcile()
    new = collections(database, BY_SKU)
    await new.prepare()
    await old["items"].insert_many([{"_id": "b", "sku": "b"}, {"_id": "c", "sku": "b"}])
    await old["items"].insert({"sku": "x" * 701})
    with pytest.raises((IndexNotUnique, IndexedValueTooLong)):
        await new.reconcile()

    again = collections(database, BY_SKU)
    await again.prepare()

    assert await again["items"].count({"sku": "b"}) == 2
    with pytest.raises((IndexNotUnique, IndexedValueTooLong)):
        await again.reconcile()


async def test_duplicates_in_one_collection_keep_no_other_from_being_completed(
    database: Database,
) -> None:
    def both(indexes: list[Any]) -> Collections:
        declared = {name: {"indexes": indexes} for name in ("first", "second")}
        return Collections(database, "shop", read_collections(declared))

    old, new = both([]), both(BY_SKU)
    await old.reconcile()
    await new.prepare()
    await old["first"].insert_many([{"sku": "b"}, {"sku": "b"}])
    await old["second"].insert({"sku": "b"})

    with pytest.raises(IndexNotUnique) as caught:
        await new.reconcile()

    assert caught.value.collection == "first"
    with pytest.raises(DuplicateKey):
        await new["second"].insert({"sku": "b"})
    assert new["second"]._is_settled
    assert not new["first"]._is_settled


async def test_what_an_older_generation_made_twice_meanwhile_is_told(database: Database) -> None:
    old = collections(database, [])
    await old.reconcile()
    new = collections(database, BY_SKU)
    await new.prepare()
    await old["items"].insert_many(
        [{"sku": "a"}, {"_id": "b", "sku": "b"}, {"_id": "c", "sku": "b"}]
    )
    await new["items"].insert({"sku": "c"})

    with pytest.raises(IndexNotUnique) as caught:
        await new.reconcile()
    assert caught.value.value == ("b",)
    assert set(caught.value.ids) == {"b", "c"}

    await old["items"].delete("b")
    await new.reconcile()
    assert await new["items"].count({"sku": "b"}) == 1


async def test_an_index_of_a_newer_generation_refuses_what_an_older_one_writes(
    database: Database,
) -> None:
    old = collections(database, BY_PRICE)
    await old.reconcile()
    await old["items"].insert_many(
        [{"_id": "a", "price": 1, "kind": "x"}, {"_id": "b", "price": 2, "kind": "x"}]
    )
    await collections(database, [{"fields": ["price", "kind"], "unique": True}]).prepare()

    with pytest.raises(DuplicateKey, match="unique"):
        await old["items"].update("b", {"price": 1})

    assert await old["items"].count({"price": 2}) == 1


async def test_a_document_that_changes_while_it_is_indexed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = collections(database, []), collections(database, BY_PRICE)
    await old.reconcile()
    await old["items"].insert_many([{"_id": "a", "price": 1}, {"_id": "b", "price": 1}])
    execute_many = database.execute_many

    async def change_before(*arguments: Any) -> int:
        monkeypatch.setattr(database, "execute_many", execute_many)
        await old["items"].update("a", {"price": 2})
        return await execute_many(*arguments)

    monkeypatch.setattr(database, "execute_many", change_before)
    await new.reconcile()

    assert [each["_id"] for each in await new["items"].find({"price": 1})] == ["b"]
    assert [each["_id"] for each in await new["items"].find({"price": 2})] == ["a"]


async def test_what_others_keep_writing_is_left_to_the_next_time(
    database: Database, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    await collections(database, []).reconcile()
    await collections(database, [])["items"].insert_many(DOCUMENTS)
    new = collections(database, BY_PRICE)
    monkeypatch.setattr("nexus.data.collections.filling._PASSES", 1)

    await new.reconcile()
    assert own(await look()) == (1, 2)
    await new.reconcile()
    assert own(await look()) == (1, 1)
    assert await new["items"].count({"price": 3}) == 64


class Crash(BaseException):
    """Ends a process, as it were."""


async def crash_at(database: Database, step: int, work: Awaitable[None]) -> bool:
    """Do something until it has changed the database so many times; say whether it came so far."""
    left = step
    with pytest.MonkeyPatch.context() as patch:

        def counting(run: Any) -> Any:
            async def count(*arguments: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Crash
                left -= 1
                return await run(*arguments)

            return count

        patch.setattr(Transaction, "execute", counting(Transaction.execute))
        for name in ("execute", "execute_many"):
            patch.setattr(database, name, counting(getattr(database, name)))
        try:
            await work
        except Crash:
            return True
    return False


async def find_each_by_each_index(made: Collections) -> None:
    """Check that every document is found by every index."""
    items = made["items"]
    for document in await items.find():
        for path in made._tables["items"].columns:
            [field] = path
            found = await items.find({field: document.get(field), "_id": document["_id"]})
            assert found == [document], (field, document)


@pytest.mark.parametrize("follows", ["the same", "the older"])
async def test_a_crash_at_any_step_is_made_good(
    database: Database, look: Look, monkeypatch: pytest.MonkeyPatch, follows: str
) -> None:
    monkeypatch.setattr("nexus.data.collections.filling._BATCH", 7)
    old = collections(database, [*BY_PRICE, {"field": "kind"}])
    new = collections(database, [*BY_SKU, {"fields": ["kind", "price"]}, {"field": "size"}])
    await old.reconcile()
    await old["items"].insert_many(DOCUMENTS[:20])
    steps = 0
    while await crash_at(database, steps, new.reconcile()):
        # An older generation goes on, unless its columns were removed already.
        found = await look()
        if set(old._tables["items"].columns.values()) <= found.columns:
            await old["items"].insert({"sku": f"late {steps}", "price": 3, "size": steps})
            await old["items"].update({"sku": "s3"}, {"size": steps})
            await old["items"].replace((await old["items"].find())[0]["_id"], {"size": steps})
        following = new if follows == "the same" else old
        await following.reconcile()

        assert own(await look()) == ((4, 3) if following is new else (2, 2))
        await find_each_by_each_index(following)
        await old.reconcile()
        await find_each_by_each_index(old)
        steps += 1
    assert steps > 8
    await find_each_by_each_index(new)


async def test_a_table_that_is_something_else_is_left_alone(database: Database) -> None:
    await database.execute("CREATE TABLE shop__items (id INTEGER PRIMARY KEY, name INTEGER)")

    with pytest.raises(NotACollection) as caught:
        await collections(database, BY_PRICE).reconcile()

    assert caught.value.table == "shop__items"


async def test_as_many_indexes_as_may_be_with_the_longest_names(database: Database) -> None:
    name, plugin = "c" * 30, "p" * 63
    fields = [[f"{'f' * 400}{number}.{part}" for part in range(2)] for number in range(32)]
    spec = read_collections({name: {"indexes": [{"fields": each} for each in fields]}})
    made = Collections(database, plugin, spec)
    await made.reconcile()
    await made.reconcile()
    await made[name].insert({fields[3][0].split(".")[0]: {"0": "x" * 700, "1": "y" * 700}})

    assert await made[name].count({fields[3][0]: "x" * 700}) == 1
    assert (await made.sizes())[name].documents == 1


async def test_the_longest_keys_that_an_index_takes(database: Database, engine: str) -> None:
    chosen = random.Random(2)  # noqa: S311
    made = collections(
        database,
        [
            {"fields": ["a", "b", "c", "d"]},
            {"fields": ["d", "c", "b", "a"], "unique": True},
        ],
    )
    await made.reconcile()

    def noise(size: int) -> str:
        return "".join(chr(chosen.randrange(32, 127)) for _ in range(size))

    longest = {field: noise(700) for field in "abc"}
    await made["items"].insert({"_id": "\U0001f600" * 128, **longest})
    await made["items"].insert({"_id": "\U0001f601" * 128, **longest, "a": noise(698), "d": True})
    with pytest.raises(IndexedValueTooLong) as caught:
        await made["items"].insert({**longest, "d": True})
    assert caught.value.fields == ("a", "b", "c", "d")
    with pytest.raises(IndexedValueTooLong) as caught:
        await made["items"].insert({"a": "é" * 351})
    assert (caught.value.fields, caught.value.size) == (("a",), 702)
    assert await made["items"].count(longest) == 1
    assert await made["items"].count() == 2
