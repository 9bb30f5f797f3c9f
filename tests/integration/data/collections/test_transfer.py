"""Documents leave one collection and come into another as they are."""

import tracemalloc
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from nexus.data.collections import Collection
from nexus.data.database import Database
from nexus.data.engines.sqlite.inline import InlineDatabase
from nexus.errors import CollectionNotFound, DuplicateKey, InvalidDocument, InvalidDocumentId


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": "\x1f"}
    for _ in range(levels):
        value = {"a": value}
    return value


DOCUMENTS: list[dict[str, Any]] = [
    {"_id": f"{number:04}", "sku": f"s{number}", "price": number * 0.5} for number in range(1200)
] + [
    {"_id": "x1", "price": datetime(2026, 1, 2, tzinfo=UTC), "list": [date(2026, 1, 2)]},
    {"_id": "x2", "price": UUID(int=5), "\x1f": "\x1fD", "é": "\U0001f600", "deep": deep(80)},
]


async def test_a_dump_is_loaded_with_ids_and_versions(declare: Any) -> None:
    collections = await declare(
        one=[{"field": "price"}], other=[{"field": "sku", "unique": True}, {"field": "price"}]
    )
    one, other = collections["one"], collections["other"]
    await one.insert_many(DOCUMENTS)
    await one.update("0003", {"price": None})

    rows = [row async for row in collections.dump("one")]
    assert rows[3] == ("0003", 2, '{"sku":"s3","price":null}')
    assert await collections.load("other", rows) == 1202

    assert await other.find() == await one.find()
    assert await other.count({"price": {"$lt": 5}}) == 9
    assert await other.count({"price": UUID(int=5)}) == 1
    assert await other.count({"sku": "s77"}) == 1
    sizes = await collections.sizes()
    assert sizes["one"].documents == sizes["other"].documents == 1202
    assert sizes["one"].bytes is None or sizes["one"].bytes > 0


async def test_what_one_engine_dumps_another_loads(declare: Any, database: Database) -> None:
    from nexus.data.collections import Collections, read_collections

    memory = InlineDatabase()
    source = Collections(memory, "other", read_collections({"items": {}}))
    await source.reconcile()
    await source["items"].insert_many(DOCUMENTS[-400:])
    target = await declare(items=[{"field": "price"}])

    assert await target.load("items", source.dump("items")) == 400

    assert await target["items"].find() == await source["items"].find()
    dumped = [row async for row in target.dump("items")]
    assert dumped == [row async for row in source.dump("items")]
    await memory.close()


async def test_rows_that_no_dump_gave_are_refused(declare: Any, database: Database) -> None:
    collections = await declare(items=[{"field": "sku", "unique": True}])
    await collections["items"].insert({"_id": "there", "sku": "a"})

    async def load(*rows: Any) -> None:
        async with database.transaction():
            await collections.load("items", [("new", 1, "{}"), *rows])

    for text in (
        "",
        "{",
        "[]",
        "5",
        '"a"',
        '{"a": NaN}',
        '{"a":"\x1fD2026"}',
        '{"a":"\\u001fD26"}',
    ):
        with pytest.raises(InvalidDocument):
            await load(("a", 1, text))
    for text in ('{"_id":"x"}', '{"_version":1}', '{"$a":1}', '{"a":"\\u0000"}', '{"a":"\\ud800"}'):
        with pytest.raises(InvalidDocument):
            await load(("a", 1, text))
    for version in (0, -1, "1", 1.0, None, True, 2**63):
        with pytest.raises(InvalidDocument):
            await load(("a", version, "{}"))
    with pytest.raises(InvalidDocumentId):
        await load(("", 1, "{}"))
    with pytest.raises(DuplicateKey) as caught:
        await load(("b", 1, "{}"), ("there", 1, "{}"))
    assert caught.value.value == ("there",)
    with pytest.raises(DuplicateKey) as caught:
        await load(("b", 1, '{"sku":"a"}'))
    assert caught.value.value == ("a",)
    with pytest.raises(CollectionNotFound):
        await collections.load("item", [])
    with pytest.raises(CollectionNotFound):
        collections.dump("item")
    assert await collections["items"].count() == 1


async def test_a_stream_holds_memory_flat(items: Collection, engine: str) -> None:
    if engine == "memory":
        pytest.skip("the documents are in memory anyway")
    text = "x" * 1000
    for _ in range(10):
        await items.insert_many({"text": text} for _ in range(1000))
    tracemalloc.start()
    try:
        count = 0
        async for _ in items.stream(chunk=100):
            count += 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 10_000
    assert peak < 3_000_000  # all of them take more than ten
