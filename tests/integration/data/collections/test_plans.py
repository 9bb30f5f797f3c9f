"""The plan of each engine says that an index serves the query, or that nothing is sorted."""

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from nexus.data.collections import Collection
from nexus.data.database import Database

COUNT = 3000

Plan: TypeAlias = Callable[[Awaitable[Any]], Awaitable[str]]


@pytest.fixture
async def many(items: Collection, database: Database) -> Collection:
    chosen = random.Random(1)  # noqa: S311
    await items.insert_many(
        {
            "sku": f"s{number}",
            "price": chosen.randrange(1000),
            "stock": chosen.randrange(5),
            "kind": chosen.choice("abcdefghij"),
            "place": {"city": f"c{chosen.randrange(100)}"},
        }
        for number in range(COUNT)
    )
    if database.engine == "postgresql":
        await database.execute("ANALYZE shop__items")
    elif database.engine == "mariadb":
        await database.fetch_all("ANALYZE TABLE shop__items")
    return items


@pytest.fixture
def plan(database: Database, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Give the plan of what a call asks the database."""
    asked: list[tuple[str, Any]] = []
    fetch_all, fetch_one, execute = database.fetch_all, database.fetch_one, database.execute

    def listening(run: Any) -> Any:
        def listen(statement: str, parameters: Any = ()) -> Any:
            asked.append((statement, parameters))
            return run(statement, parameters)

        return listen

    async def plan(call: Awaitable[Any]) -> str:
        asked.clear()
        with monkeypatch.context() as patch:
            patch.setattr(database, "fetch_all", listening(fetch_all))
            patch.setattr(database, "fetch_one", listening(fetch_one))
            patch.setattr(database, "execute", listening(execute))
            await call
        statement, parameters = asked[0]
        word = "EXPLAIN QUERY PLAN " if database.engine == "sqlite" else "EXPLAIN "
        rows = await database.fetch_all(word + statement, parameters)
        return "\n".join(" ".join(str(part) for part in row) for row in rows)

    return plan


def index_on(collection: Collection, *fields: str) -> str:
    [index] = [each for each in collection._table.indexes if each.spec.names == fields]
    return index.name


@pytest.mark.parametrize(
    "wanted",
    [
        {"price": 500},
        {"price": {"$gte": 500, "$lt": 505}},
        {"price": {"$gt": 990}},
        {"price": {"$in": [1, 2, 3]}},
        {"price": {"$gte": 10, "$lte": 12}, "note": {"$contains": "x"}},
    ],
    ids=str,
)
async def test_a_condition_on_an_indexed_field(many: Collection, plan: Plan, wanted: Any) -> None:
    assert index_on(many, "price") in await plan(many.find(wanted, sort="price"))
    assert index_on(many, "price") in await plan(many.count(wanted))


async def test_a_unique_field(many: Collection, plan: Plan) -> None:
    for call in (
        many.find({"sku": "s7"}),
        many.exists({"sku": "s7"}),
        many.find_one({"sku": "s8"}),
    ):
        assert index_on(many, "sku") in await plan(call)


async def test_equal_values_of_a_plain_index_come_by_id_without_sorting(
    many: Collection, plan: Plan, database: Database
) -> None:
    text = await plan(many.find({"stock": 3}, limit=10))

    assert not sorts(text)
    # One row in five matches, so that PostgreSQL rather follows the ids.
    assert database.engine == "postgresql" or index_on(many, "stock") in text


async def test_several_fields_of_one_index(many: Collection, plan: Plan) -> None:
    text = await plan(many.find({"kind": "c", "place.city": "c7"}))
    assert index_on(many, "kind", "place.city") in text

    text = await plan(many.find({"kind": "c"}, sort="place.city", limit=5))
    assert index_on(many, "kind", "place.city") in text
    assert not sorts(text)


@pytest.mark.parametrize(
    "sort", ["price", "-price", ("kind", "place.city"), ("-kind", "-place.city")]
)
async def test_sorting_by_what_an_index_has(many: Collection, plan: Plan, sort: Any) -> None:
    fields = [sort] if isinstance(sort, str) else sort

    text = await plan(many.find(sort=sort, limit=10))

    assert index_on(many, *(field.removeprefix("-") for field in fields)) in text
    assert not sorts(text)


async def test_ids(many: Collection, plan: Plan, database: Database) -> None:
    ids = [each["_id"] for each in await many.find(limit=3)]
    primary = {
        "sqlite": "sqlite_autoindex_shop__items_1",
        "postgresql": "shop__items__pk",
        "mariadb": "PRIMARY",
    }[database.engine]

    for call in (many.get(ids[0]), many.find({"_id": {"$in": ids}}), many.find(limit=10)):
        text = await plan(call)
        assert primary in text
        assert not sorts(text)


async def test_changes_by_filter(many: Collection, plan: Plan) -> None:
    assert index_on(many, "sku") in await plan(many.delete({"sku": "s5"}))


def sorts(text: str) -> bool:
    return any(word in text.lower() for word in ("temp b-tree", "sort", "filesort"))
