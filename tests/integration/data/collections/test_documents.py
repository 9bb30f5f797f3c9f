"""What goes in comes out, and changes as it was asked to."""

# ruff: noqa: DTZ001 - datetimes without a zone are values here

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest

from nexus.data.collections import Collection
from nexus.data.database import Database
from nexus.data.transaction import Transaction
from nexus.errors import (
    AmbiguousUpsert,
    DuplicateKey,
    InvalidChange,
    InvalidFilter,
    TransactionCollided,
    VersionConflict,
)


async def test_a_document_comes_back_with_id_and_version(items: Collection) -> None:
    document = {"sku": "a", "tags": ["x", None, 1.5], "place": {"city": "Rome", "é": "\U0001f600"}}

    document_id = await items.insert(document)

    assert await items.get(document_id) == {"_id": document_id, "_version": 1, **document}
    assert document.keys() == {"sku", "tags", "place"}  # the caller's own is left alone
    assert await items.get("nothing") is None


async def test_dates_and_uuids_come_back_nested_and_are_found(items: Collection) -> None:
    moment = datetime(2026, 11, 22, 9, 41, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    day, local, name = date(2026, 11, 22), datetime(2026, 11, 22, 9, 41), uuid4()
    document_id = await items.insert(
        {"price": moment, "list": [day, {"local": local}], "name": name, "\x1fkey": "\x1fD2026"}
    )

    found = await items.get(document_id)

    assert found is not None
    assert found["price"] == moment
    assert found["price"].tzinfo is UTC
    assert found["list"] == [day, {"local": local}]
    assert type(found["list"][0]) is date
    assert found["name"] == name
    assert found["\x1fkey"] == "\x1fD2026"
    assert await items.count({"price": moment, "name": name, "list": {"$contains": day}}) == 1
    assert await items.count({"price": {"$gt": moment - timedelta(microseconds=1)}}) == 1
    assert await items.count({"price": {"$gt": moment}}) == 0
    assert await items.count({"price": local}) == 0


async def test_a_hundred_levels_come_back_and_are_found(items: Collection) -> None:
    deep: dict[str, Any] = {"sku": "a", "price": 1, "at": date(2026, 1, 2), "mark": "\x1fx"}
    for _ in range(98):
        deep = {"in": deep, "list": [1]}
    document_id = await items.insert({**deep, "sku": "deep", "price": 7})

    assert await items.find({"price": 7, "in.list": {"$contains": 1}}) == [
        {"_id": document_id, "_version": 1, **deep, "sku": "deep", "price": 7}
    ]
    await items.update(document_id, {"in.list": []})
    found = await items.get(document_id)
    assert found is not None
    assert found["in"]["in"] == deep["in"]["in"]


async def test_generated_ids_ascend(items: Collection) -> None:
    first = [await items.insert({}) for _ in range(20)]
    ids = first + await items.insert_many([{} for _ in range(2000)])

    assert ids == sorted(set(ids))
    assert [each["_id"] for each in await items.find()] == ids


async def test_an_id_of_the_callers_own(items: Collection) -> None:
    for given in ("a", "z" * 128, "é \U0001f600", "'; --", "a b ", " ", "%_?@$1", "{}", "\\"):
        assert await items.insert({"_id": given, "a": 1}) == given
        assert await items.get(given) == {"_id": given, "_version": 1, "a": 1}
        assert await items.get("x" + given[:100]) is None
        with pytest.raises(DuplicateKey) as caught:
            await items.insert({"_id": given})
        assert caught.value.index == ("_id",)
        assert caught.value.value == (given,)
        assert await items.update(given, {"a": 2}) == 1
        assert await items.find({"_id": given}) == [{"_id": given, "_version": 2, "a": 2}]
        assert await items.delete(given) == 1
    assert await items.count() == 0


async def test_ids_that_differ_in_case_or_in_spaces_are_different(items: Collection) -> None:
    given = ["a", "A", "a ", "á", "a\u0301"]

    assert await items.insert_many([{"_id": each} for each in given]) == given
    assert [each["_id"] for each in await items.find()] == sorted(given)


async def test_many_are_stored_all_or_none(items: Collection) -> None:
    await items.insert({"sku": "taken"})

    with pytest.raises(DuplicateKey) as caught:
        await items.insert_many([{"sku": "a"}, {"sku": "b"}, {"sku": "taken"}])
    assert (caught.value.collection, caught.value.index) == ("items", ("sku",))
    assert caught.value.value == ("taken",)
    with pytest.raises(DuplicateKey) as caught:
        await items.insert_many([{"sku": "a"}, {"sku": "b"}, {"sku": "a"}])
    assert caught.value.value == ("a",)
    with pytest.raises(DuplicateKey) as caught:
        await items.insert_many([{"_id": "one"}, {"_id": "two"}, {"_id": "one"}])
    assert caught.value.value == ("one",)

    assert await items.count() == 1
    assert await items.insert_many([]) == []
    assert len(await items.insert_many({"sku": each} for each in "ab")) == 2


async def test_others_have_their_turn_while_many_are_written_and_read(items: Collection) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await items.insert_many({"price": number} for number in range(3000))
    assert turns >= 6
    turns = 0
    await items.find()
    assert turns >= 6
    task.cancel()


async def test_find_cuts_down_to_fields_and_to_a_number(items: Collection) -> None:
    await items.insert_many(
        {"_id": f"{n:02}", "price": n % 3, "place": {"city": f"c{n}", "zip": n}} for n in range(10)
    )

    assert await items.find({"price": 1}, sort="-_id", fields=["place.city", "no.such"]) == [
        {"_id": f"{n:02}", "_version": 1, "place": {"city": f"c{n}"}} for n in (7, 4, 1)
    ]
    assert await items.find(fields=[], limit=1) == [{"_id": "00", "_version": 1}]
    assert [each["_id"] for each in await items.find(limit=2, offset=3)] == ["03", "04"]
    assert [each["_id"] for each in await items.find(offset=8)] == ["08", "09"]
    assert await items.find(limit=0) == []
    assert await items.find_one({"price": 2}, sort="-_id", fields=["price", "place"]) == {
        "_id": "08",
        "_version": 1,
        "price": 2,
        "place": {"city": "c8", "zip": 8},
    }
    assert await items.find_one({"price": 9}) is None
    assert await items.exists()
    assert await items.exists("03")
    assert not await items.exists("3")
    assert await items.exists({"place.zip": 9})
    assert await items.count({"price": {"$lt": 1}}) == 4


async def test_many_documents_are_found_and_streamed(items: Collection) -> None:
    await items.insert_many({"price": number} for number in range(1200))

    assert [each["price"] for each in await items.find(sort="price")] == list(range(1200))
    streamed = [each["price"] async for each in items.stream({"price": {"$gte": 100}}, chunk=7)]
    assert streamed == list(range(100, 1200))
    async for each in items.stream(sort="-price", fields=["price"]):
        assert each["price"] == 1199
        break


async def test_update_changes_by_path_and_counts(items: Collection) -> None:
    document_id = await items.insert({"sku": "a", "place": {"city": "Rome"}, "list": [1]})

    changed = await items.update(
        document_id,
        {"place.zip.code": 5, "new.er.est": date(2026, 1, 2), "list": {"x": []}},
        unset=["place.city", "no.such.thing", "sku"],
    )

    assert changed == 1
    assert await items.get(document_id) == {
        "_id": document_id,
        "_version": 2,
        "place": {"zip": {"code": 5}},
        "list": {"x": []},
        "new": {"er": {"est": date(2026, 1, 2)}},
    }
    assert await items.update("nothing", {"a": 1}) == 0
    assert await items.update({"sku": "nothing"}, {"a": 1}) == 0


async def test_update_by_filter_changes_all_of_many(items: Collection) -> None:
    await items.insert_many({"price": number, "kind": "a"} for number in range(1203))

    assert await items.update({"price": {"$gte": 3}}, {"kind": "b", "price": 5}) == 1200

    assert await items.count({"kind": "b", "price": 5, "_version": 2}) == 1200
    assert await items.count({"kind": "a", "_version": 1}) == 3
    assert await items.update({}, {"all": True}) == 1203


async def test_a_change_through_what_is_no_object_changes_nothing(items: Collection) -> None:
    document_id = await items.insert({"price": 5, "list": [{"a": 1}], "none": None})

    for path in ("price.x", "list.0", "list.0.a", "none.x"):
        with pytest.raises(InvalidChange) as caught:
            await items.update(document_id, {"fine": 1, path: 2})
        assert caught.value.path == path
        with pytest.raises(InvalidChange):
            await items.update({}, {path: 2})
    assert await items.get(document_id) == {
        "_id": document_id,
        "_version": 1,
        "price": 5,
        "list": [{"a": 1}],
        "none": None,
    }


async def test_replace_takes_back_what_get_gave(items: Collection) -> None:
    document_id = await items.insert({"sku": "a", "price": 1, "old": True})
    found = await items.get(document_id)
    assert found is not None
    del found["old"]
    found["price"] = 2

    assert await items.replace(document_id, found)

    assert await items.find({"price": 2}) == [
        {"_id": document_id, "_version": 2, "sku": "a", "price": 2}
    ]
    assert await items.count({"price": 1}) == 0
    assert not await items.replace("nothing", {"sku": "b"})
    assert await items.count() == 1


async def test_a_change_is_refused_where_the_version_is_another(items: Collection) -> None:
    document_id = await items.insert({"price": 1})
    await items.update(document_id, {"price": 2}, expected_version=1)

    async def conflict(call: Any, found: int | None, name: str | None = document_id) -> None:
        with pytest.raises(VersionConflict) as caught:
            await call
        error = caught.value
        assert (error.collection, error.id, error.found) == ("items", name, found)

    await conflict(items.update(document_id, {"price": 3}, expected_version=1), 2)
    await conflict(items.update({"price": 2}, {"price": 3}, expected_version=3), 2)
    await conflict(items.replace(document_id, {"price": 3}, expected_version=1), 2)
    await conflict(items.delete(document_id, expected_version=1), 2)
    await conflict(items.delete({}, expected_version=1), 2)
    await conflict(items.update("gone", {"a": 1}, expected_version=1), None, "gone")
    await conflict(items.replace("gone", {"a": 1}, expected_version=1), None, "gone")
    await conflict(items.delete("gone", expected_version=1), None, "gone")
    await conflict(items.update({"a": 1}, {"a": 2}, expected_version=1), None, None)
    await conflict(items.delete({"a": 1}, expected_version=1), None, None)

    assert await items.get(document_id) == {"_id": document_id, "_version": 2, "price": 2}
    assert await items.replace(document_id, {"price": 3}, expected_version=2)
    assert await items.update({"price": 3}, {"price": 4}, expected_version=3) == 1
    assert await items.delete({"price": 4}, expected_version=4) == 1


async def test_upsert_changes_the_one_or_adds_it(items: Collection) -> None:
    first = await items.upsert({"sku": "a", "place.city": "Rome"}, {"price": 1, "sku": "a"})
    again = await items.upsert({"sku": {"$eq": "a"}}, {"price": 2, "place.zip": 5})

    assert first == again
    assert await items.find() == [
        {
            "_id": first,
            "_version": 2,
            "sku": "a",
            "place": {"city": "Rome", "zip": 5},
            "price": 2,
        }
    ]
    assert await items.upsert("mine", {"price": 3}) == "mine"
    assert await items.upsert("mine", {"price": 4}) == "mine"
    assert await items.upsert({"_id": "mine", "price": 4}, {"price": 5}) == "mine"
    assert await items.get("mine") == {"_id": "mine", "_version": 3, "price": 5}


async def test_upsert_refuses_what_it_cannot_do(items: Collection) -> None:
    await items.insert_many([{"_id": "a", "price": 1}, {"_id": "b", "price": 1}, {"sku": "x"}])

    with pytest.raises(AmbiguousUpsert) as ambiguous:
        await items.upsert({"price": 1}, {"a": 1})
    assert ambiguous.value.ids == ("a", "b")
    wanted: dict[str, Any]
    for wanted in ({}, {"price": {"$gt": 1}}, {"$or": [{"a": 1}]}, {"_version": 1}, {"$not": {}}):
        with pytest.raises(InvalidFilter):
            await items.upsert(wanted, {"a": 1})
    with pytest.raises(DuplicateKey) as duplicate:
        await items.upsert({"price": 7}, {"sku": "x"})
    assert duplicate.value.value == ("x",)
    assert await items.count() == 3


async def test_what_is_unique_is_kept_so_by_every_change(items: Collection) -> None:
    await items.insert_many([{"_id": "a", "sku": "a"}, {"_id": "b", "sku": "b"}, {"_id": "c"}])

    for call in (
        items.insert({"sku": "a"}),
        items.update("b", {"sku": "a"}),
        items.update({"_id": {"$in": ["b", "c"]}}, {"sku": "z"}),
        items.replace("b", {"sku": "a"}),
        items.upsert({"_id": "b"}, {"sku": "a"}),
    ):
        with pytest.raises(DuplicateKey) as caught:
            await call
        assert caught.value.index == ("sku",)
        assert caught.value.value in (("a",), ("z",))
    assert [each.get("sku") for each in await items.find()] == ["a", "b", None]
    assert await items.count({"_version": 1}) == 3


async def test_null_and_nothing_are_never_duplicates(items: Collection) -> None:
    await items.insert_many([{"sku": None}, {"sku": None}, {}, {}])

    assert await items.count({"sku": None}) == 4


async def test_unique_means_equal(items: Collection) -> None:
    cases: list[tuple[Any, Any, list[Any]]] = [
        (1, 1.0, [True, "1", [1], 2**53]),
        (0, -0.0, [False, "", [], {}]),
        (True, True, [1, "true", [True]]),
        (2**53 + 1, 2**53 + 1, [2.0**53, 2**53 - 1, 2**53 + 2]),
        ("a", "a", ["A", "a ", "á", ["a"]]),
        (["a", 1, {"b": [1], "c": 2}], ["a", 1.0, {"c": 2, "b": [1]}], [["a", 1, {"b": 1}], ["a"]]),
        (
            datetime(2026, 1, 2, 3, tzinfo=UTC),
            datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))),
            [datetime(2026, 1, 2, 3), date(2026, 1, 2), "2026-01-02T03:00:00"],
        ),
        (UUID(int=7), UUID(int=7), [UUID(int=8), str(UUID(int=7)), 7]),
    ]
    for one, same, others in cases:
        await items.delete({})
        await items.insert_many([{"sku": one}, *({"sku": other} for other in others)])
        with pytest.raises(DuplicateKey):
            await items.insert({"sku": same})


async def test_a_unique_index_on_two_fields(declare: Any) -> None:
    pairs = (await declare(pairs=[{"fields": ["a", "b.c"], "unique": True}]))["pairs"]
    await pairs.insert_many([{"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}, {"a": 1}, {"a": 1}])

    with pytest.raises(DuplicateKey) as caught:
        await pairs.insert({"a": 1.0, "b": {"c": 2}})

    assert caught.value.index == ("a", "b.c")
    assert caught.value.value == (1.0, 2)
    others = {"1": (2, 3), "2": (1, 4), "3": (2, 4)}
    await pairs.insert_many({"_id": each, "a": a, "b": {"c": c}} for each, (a, c) in others.items())
    with pytest.raises(DuplicateKey) as caught:  # the first one is what it was
        await pairs.update({"_id": {"$in": ["1", "2"]}}, {"a": 2})
    assert caught.value.value == (2, 4)


async def test_updates_at_the_same_time_lose_nothing(items: Collection) -> None:
    document_id = await items.insert({"sku": "a"})

    await asyncio.gather(
        *(items.update(document_id, {f"n{number}": number}) for number in range(70)),
        *(items.update({"sku": "a"}, {f"n{number}": number}) for number in range(70, 100)),
    )

    found = await items.get(document_id)
    assert found is not None
    assert found["_version"] == 101
    assert {f"n{number}": number for number in range(100)}.items() <= found.items()


async def test_an_update_never_brings_a_removed_document_back(
    items: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.insert({"_id": "x", "tag": "first"})
    database = items._database
    fetch_one = database.fetch_one

    async def replace_after(*arguments: Any) -> Any:
        monkeypatch.setattr(database, "fetch_one", fetch_one)
        row = await fetch_one(*arguments)
        await items.delete("x")
        await items.insert({"_id": "x", "tag": "second"})
        return row

    monkeypatch.setattr(database, "fetch_one", replace_after)

    assert await items.update("x", {"seen": True}) == 1

    found = await items.get("x")
    assert found == {"_id": "x", "_version": 2, "tag": "second", "seen": True}


async def test_of_updates_that_expect_the_same_version_one_happens(items: Collection) -> None:
    document_id = await items.insert({"n": 0})

    async def change(number: int) -> bool:
        try:
            await items.update(document_id, {"n": number}, expected_version=1)
        except VersionConflict:
            return False
        return True

    assert sum(await asyncio.gather(*(change(number) for number in range(1, 21)))) == 1
    found = await items.get(document_id)
    assert found is not None
    assert found["_version"] == 2


async def test_upserts_at_the_same_time_end_with_one_document(items: Collection) -> None:
    ids = await asyncio.gather(
        *(items.upsert({"sku": "a"}, {f"n{number}": number}) for number in range(20)),
        *(items.upsert("mine", {f"n{number}": number}) for number in range(20)),
    )

    assert len(set(ids)) == 2
    assert await items.count() == 2
    for found in await items.find():
        assert found["_version"] == 20
        assert {f"n{number}": number for number in range(20)}.items() <= found.items()


async def test_what_gave_way_to_another_transaction_is_done_again(
    items: Collection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.insert({"sku": "a"})
    fetch_all = Transaction.fetch_all
    failures = 3

    async def collide(self: Transaction, *arguments: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise TransactionCollided(path="", problem="", advice="")
        return await fetch_all(self, *arguments)

    monkeypatch.setattr(Transaction, "fetch_all", collide)

    assert await items.update({"sku": "a"}, {"n": 1}) == 1
    failures = 3
    await items.upsert({"sku": "a"}, {"n": 2})
    failures = 3
    assert await items.delete({"sku": "a"}, expected_version=3) == 1
    failures = 100
    with pytest.raises(TransactionCollided):
        await items.upsert({"sku": "a"}, {"n": 3})
    failures = 1
    async with database.transaction():
        with pytest.raises(TransactionCollided):
            await items.update({"sku": "a"}, {"n": 1})


async def test_upsert_without_changes_sees_to_it_that_there_is_one(items: Collection) -> None:
    made = await items.upsert({"sku": "a"}, {})
    assert await items.upsert({"sku": "a"}, {}) == made
    found = await items.get(made)
    assert found == {"_id": made, "_version": 1, "sku": "a"}
