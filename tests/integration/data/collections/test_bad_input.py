"""What cannot be stored or asked is refused with a reason, and nothing has happened."""

import math
from collections import OrderedDict
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from nexus.data.collections import Collection
from nexus.errors import (
    CollectionNotFound,
    DocumentTooLarge,
    InvalidChange,
    InvalidDocument,
    InvalidDocumentId,
    InvalidFilter,
    InvalidQuery,
    NotJson,
    ValueTooLarge,
)

INJECTIONS = [
    "'; DROP TABLE shop__items; --",
    '"; DROP TABLE shop__items; --',
    "a' OR '1'='1",
    "a') OR 1=1 --",
    "x', '$')) --",
    "?",
    "%s",
    "%(a)s",
    "$1",
    ":a",
    "@",
    "`",
    "/* */",
    "\\' OR 1=1 --",
    '$."a"',
    "a[0]",
    "*",
]
HUGE = "k" * 1_000_000


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def circle() -> list[Any]:
    items: list[Any] = []
    items += [items, items]
    return items


REFUSED: list[tuple[Any, str]] = [
    ({"a": [1, {"b": math.nan}]}, "$.a[1].b"),
    ({"a": math.inf}, "$.a"),
    ({"a": -math.inf}, "$.a"),
    ({"a": "nul\0"}, "$.a"),
    ({"a": ["\ud800"]}, "$.a[0]"),
    ({"nul\0": 1}, "$"),
    ({"a": {"\udfff": 1}}, "$.a"),
    ({"a": 2**63}, "$.a"),
    ({"a": [-(2**63) - 1]}, "$.a[0]"),
    ({"a": 10**5000}, "$.a"),
    ({"a": Decimal("1.5")}, "$.a"),
    ({"a": b"bytes"}, "$.a"),
    ({"a": {1, 2}}, "$.a"),
    ({"a": (1, 2)}, "$.a"),
    ({"a": Color.RED}, "$.a"),
    ({"a": Level.LOW}, "$.a"),
    ({"a": Text("x")}, "$.a"),
    ({"a": OrderedDict()}, "$.a"),
    ({"a": time(1)}, "$.a"),
    ({"a": timedelta(1)}, "$.a"),
    ({"a": object()}, "$.a"),
    ({"a": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, "$.a"),
    ({"a": {1: 2}}, "$.a"),
    ({Color.RED: 2}, "$"),
    ({"a": {"$set": 1}}, "$.a"),
    ({"$where": 1}, "$"),
    (deep(101), "$" + ".a" * 20),
    ({"a": circle()}, "$.a" + "[0]" * 19),
    ([], "$"),
    ("text", "$"),
    (None, "$"),
]


async def test_documents_that_would_not_come_back_are_refused(items: Collection) -> None:
    kept = await items.insert({"sku": "kept"})
    for document, path in REFUSED:
        with pytest.raises(InvalidDocument) as caught:
            await items.insert(document)
        assert caught.value.path.startswith(path), document
        with pytest.raises(InvalidDocument) as caught:
            await items.insert_many([{"sku": "first"}, document])
        assert caught.value.path.startswith(f"$[1]{path[1:]}")
        with pytest.raises(InvalidDocument):
            await items.replace(kept, document)
        if isinstance(document, dict) and "a" in document:
            with pytest.raises(NotJson):
                await items.update(kept, {"sku": "other", "x": document["a"]})
            with pytest.raises(NotJson):
                await items.update({}, {"x": document["a"]})
            with pytest.raises(NotJson):
                await items.upsert({"sku": "new"}, {"x": document["a"]})

    assert await items.find() == [{"_id": kept, "_version": 1, "sku": "kept"}]


async def test_names_of_the_platform_are_refused(items: Collection) -> None:
    kept = await items.insert({"inner": {"_id": 1, "_version": 2}})

    with pytest.raises(InvalidDocument):
        await items.insert({"_version": 1})
    with pytest.raises(InvalidDocument):
        await items.replace(kept, {"_id": "another"})
    for path in ("_id", "_version", "_id.x"):
        with pytest.raises(InvalidChange):
            await items.update(kept, {path: 1})
        with pytest.raises(InvalidChange):
            await items.update(kept, {}, unset=[path])

    assert await items.find() == [{"_id": kept, "_version": 1, "inner": {"_id": 1, "_version": 2}}]


async def test_documents_over_the_limit_are_refused(items: Collection) -> None:
    frame = len('{"a":""}')
    fits = await items.insert({"a": "x" * (100_000 - frame)})
    await items.insert({"a": "é" * ((100_000 - frame) // 2)})

    for document in (
        {"a": "x" * (100_001 - frame)},
        {"a": "é" * 50_000},
        {"a": '"' * 60_000},
        {"a": [0] * 60_000},
    ):
        for call in (items.insert(document), items.replace(fits, document)):
            with pytest.raises(DocumentTooLarge) as caught:
                await call
            assert isinstance(caught.value, ValueTooLarge)
            assert caught.value.limit == 100_000
    with pytest.raises(DocumentTooLarge):
        await items.update(fits, {"b": "x" * 100})
    assert await items.count({"_version": 1}) == 2


async def test_ids_that_cannot_be_are_refused(items: Collection) -> None:
    wrong: Any
    for wrong in ("", "x" * 129, "nul\0", "\ud800", 5, None, b"a", Color.RED):
        for call in (
            items.insert({"_id": wrong}),
            items.insert_many([{"_id": wrong}]),
            items.get(wrong),
            items.replace(wrong, {}),
        ):
            with pytest.raises(InvalidDocumentId):
                await call
        for other in (
            items.update(wrong, {"a": 1}),
            items.delete(wrong),
            items.upsert(wrong, {"a": 1}),
        ):
            with pytest.raises((InvalidDocumentId, InvalidFilter)):
                await other
    assert await items.count() == 0


async def allowed(call: Any) -> Any:
    """Give what a call gives, or the error in which it says that it was not understood."""
    try:
        return await call
    except (InvalidFilter, InvalidQuery, InvalidChange, InvalidDocumentId) as error:
        return error


async def test_sql_is_data_wherever_it_stands(items: Collection) -> None:
    kept = await items.insert({"sku": "a", "price": 1})
    for text in INJECTIONS:
        document_id = await items.insert({"note": text, "list": [text]})
        assert await items.count({"note": text}) == 1
        assert await items.count({"note": {"$contains": text, "$gte": text, "$in": [text]}}) == 1
        assert await items.count({"list": {"$contains": text}}) == 1
        assert await items.count({"sku": text, "price": {"$lt": text}}) == 0
        await items.delete(document_id)
        changed = await allowed(items.update(kept, {text: 1}))
        if changed == 1:  # as a key it is one of many
            assert len((await items.find({text: 1}))[0]) == 5
            assert await items.find({text: 1}, sort=text, fields=[text]) != []
            await items.update(kept, {}, unset=[text])
        await check_nothing_happens(items, kept, text)


async def test_what_no_document_can_have_is_asked_for(items: Collection) -> None:
    kept = await items.insert({"sku": "a", "price": 1})
    for text in ("nul\0", "\ud800"):
        for wanted in ({"sku": text}, {"note": {"$contains": text}}, {"note": {"$in": [text]}}):
            with pytest.raises(InvalidFilter):
                await items.find(wanted)
    assert await items.find({"$or": [{"sku": HUGE}, {"note": {"$lt": HUGE}}]}) == []
    for text in (HUGE, "nul\0", "\ud800", "a..b", ".a", "$where", "-", ""):
        await check_nothing_happens(items, kept, text)


async def check_nothing_happens(items: Collection, kept: str, text: str) -> None:
    assert await allowed(items.find({text: 1})) != await items.find()
    found = await allowed(items.find(sort=[text, f"-{text}"]))
    assert isinstance(found, InvalidQuery) or found == await items.find()
    found = await allowed(items.find(fields=[text]))
    assert isinstance(found, InvalidQuery) or [each.keys() for each in found] == [
        {"_id", "_version"}
    ]
    assert isinstance(await allowed(items.find({"price": {f"${text}": 1}})), InvalidFilter)
    assert isinstance(await allowed(items.find({f"${text}": [{}]})), InvalidFilter)
    assert await allowed(items.get(text)) != await items.get(kept)
    assert await allowed(items.delete({text: 1})) != 1
    assert len(await items.find({"sku": "a", "price": 1})) == 1
    assert len((await items.find())[0]) == 4


async def test_names_of_collections_are_not_made_up(declare: Any) -> None:
    collections = await declare(items=[], orders=[])
    for name in ("order", "'; --", "", "items; DROP TABLE shop__items", "x" * 100_000):
        with pytest.raises(CollectionNotFound) as caught:
            collections[name]
        assert caught.value.declared == ("items", "orders")
        assert len(str(caught.value)) < 400
    with pytest.raises(CollectionNotFound, match="Did you mean 'orders'"):
        collections.get("order")


async def test_arguments_that_cannot_be_are_named(items: Collection) -> None:
    cases: list[dict[str, Any]] = [
        {"sort": ""},
        {"sort": "-"},
        {"sort": []},
        {"sort": ["a"] * 9},
        {"sort": {"a": 1}},
        {"sort": 5},
        {"sort": ["a", None]},
        {"sort": [("a", -1)]},
        {"limit": -1},
        {"limit": True},
        {"limit": 1.5},
        {"limit": "1; DROP TABLE shop__items"},
        {"limit": 2**63},
        {"offset": -1},
        {"offset": None},
        {"fields": "a"},
        {"fields": [1]},
        {"fields": ["a..b"]},
        {"fields": {"a": 1}},
        {"fields": ["a"] * 201},
    ]
    for arguments in cases:
        with pytest.raises(InvalidQuery) as caught:
            await items.find(**arguments)
        assert caught.value.argument == next(iter(arguments))


async def test_other_arguments_that_cannot_be(items: Collection) -> None:
    kept = await items.insert({"a": 1})
    with pytest.raises(InvalidQuery):
        items.stream(chunk=0)
    for version in (0, "1", 1.0, True):
        with pytest.raises(InvalidQuery):
            await items.update(kept, {"a": 2}, expected_version=version)  # type: ignore[arg-type]
    for target in (None, 5, [kept], b"x"):
        wrong: Any = target
        for call in (items.update(wrong, {"a": 2}), items.delete(wrong), items.upsert(wrong, {})):
            with pytest.raises((InvalidFilter, InvalidChange)):
                await call
    for changes in ({}, None, [("a", 1)], {1: 2}, {"a": 1, "a.b": 2}, {"a..b": 1}):
        wrong = changes
        with pytest.raises(InvalidChange):
            await items.update(kept, wrong)
    for unset in ("a", 5, [1], ["a", "a"], ["b", "b.c"]):
        wrong = unset
        with pytest.raises(InvalidChange):
            await items.update(kept, {"x": 1}, unset=wrong)
    assert await items.get(kept) == {"_id": kept, "_version": 1, "a": 1}


async def test_documents_may_have_keys_that_no_path_names(items: Collection) -> None:
    document = {"a.b": 1, "": 2, '"': 3, "\\": 4, "-x": 5, "\x1f": 6, "a": {"b": 7}, "x\ny": 8}

    document_id = await items.insert(document)

    assert await items.get(document_id) == {"_id": document_id, "_version": 1, **document}
    assert await items.count({"a.b": 7}) == 1
    assert await items.count({"a.b": 1}) == 0
