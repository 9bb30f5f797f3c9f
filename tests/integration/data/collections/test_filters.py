"""Every operator, with an index and without, gives what a few lines of Python give."""

# ruff: noqa: DTZ001, DTZ901, PLR0911, S311 - datetimes without a zone are values here

import functools
import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus.data.collections import Collection

NOTHING = object()
TAGGED = (date, datetime, UUID)


# The reference


def value_at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return NOTHING
        value = value[key]
    return value


def kind_of(value: Any) -> tuple[int, str]:
    """The type that a value is compared within, in the order of types."""
    if value is None or value is NOTHING:
        return 0, ""
    if isinstance(value, bool):
        return 1, ""
    if isinstance(value, int | float):
        return 2, ""
    if isinstance(value, str):
        return 3, ""
    if isinstance(value, datetime):
        return 4, "N" if value.tzinfo is None else "T"
    if isinstance(value, date):
        return 4, "D"
    return (4, "U") if isinstance(value, UUID) else (5, "")


def equal(left: Any, right: Any) -> bool:
    kind = kind_of(left)
    return kind == kind_of(right) and kind[0] < 5 and (kind[0] == 0 or left == right)


def compared(operator: str, value: Any, operand: Any) -> bool:
    if kind_of(value) != kind_of(operand):
        return False
    found: bool = {
        "$gt": lambda: value > operand,
        "$gte": lambda: value >= operand,
        "$lt": lambda: value < operand,
        "$lte": lambda: value <= operand,
    }[operator]()
    return found


def contains(value: Any, operand: Any) -> bool:
    if isinstance(value, list):
        return any(equal(part, operand) for part in value)
    return isinstance(value, str) and isinstance(operand, str) and operand in value


def holds(value: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "$eq":
            return equal(value, operand)
        case "$ne":
            return not equal(value, operand)
        case "$in":
            return any(equal(value, each) for each in operand)
        case "$nin":
            return not any(equal(value, each) for each in operand)
        case "$exists":
            return (value is not NOTHING) is operand
        case "$contains":
            return contains(value, operand)
        case "$not":
            return not all(holds(value, name, each) for name, each in operand.items())
        case _:
            return compared(operator, value, operand)


def matches(document: dict[str, Any], wanted: dict[str, Any]) -> bool:
    for key, condition in wanted.items():
        if key == "$and":
            fine = all(matches(document, part) for part in condition)
        elif key == "$or":
            fine = any(matches(document, part) for part in condition)
        elif key == "$not":
            fine = not matches(document, condition)
        elif isinstance(condition, dict):
            value = value_at(document, key)
            fine = all(holds(value, name, each) for name, each in condition.items())
        else:
            fine = equal(value_at(document, key), condition)
        if not fine:
            return False
    return True


def before(left: Any, right: Any) -> int:
    one, other = kind_of(left), kind_of(right)
    if one != other:
        return -1 if one < other else 1
    if one[0] in (0, 5) or left == right:
        return 0
    return -1 if left < right else 1


def key_at(path: str, document: dict[str, Any]) -> Any:
    return functools.cmp_to_key(before)(value_at(document, path))


def in_order(documents: Sequence[dict[str, Any]], sort: Sequence[str]) -> list[str]:
    result = sorted(documents, key=lambda each: each["_id"], reverse=sort[-1][0] == "-")
    for text in reversed(sort):
        path = text.removeprefix("-")
        result.sort(key=functools.partial(key_at, path), reverse=text[0] == "-")
    return [each["_id"] for each in result]


# What is tried

SCALARS: list[Any] = [
    None,
    *(True, False),
    *(0, 1, -1, 5, 2**53, 2**53 + 1, 2**53 - 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**62 + 3),
    *(0.0, -0.0, 1.0, 5.0, 0.1, 0.1 + 0.2, -2.5, 1e16, 1e22, 1e-7, 5e-324, 1.7976931348623157e308),
    *(2.0**53, 2.0**62, 2.0**63, -(2.0**63), -(2.0**64), 9007199254740994.0, 123456789.123456789),
    *("", "a", "A", "a ", "ab", "b", "é", "e\u0301", "ß", "\U0001f600", "\uffff", "z" * 40),
    *(
        "1",
        "5",
        "true",
        "null",
        "[1]",
        "{}",
        '"',
        "\\",
        "'",
        "%",
        "_",
        "a%",
        "\n",
        "\t",
        "a\\u0061",
    ),
    *(
        "\x01",
        "\x1e",
        "\x1f",
        "\x1fs",
        "\x1fD2026-01-02",
        "\x1fJ[]",
        "\x20",
        "\x7f",
        "$",
        "$.a",
        "a.b",
    ),
    *("'; DROP TABLE shop__items; --", "?", "@", "$1", "%s", "2026-01-02"),
    *(date(1, 1, 1), date(2026, 1, 2), date(9999, 12, 31)),
    *(datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 5, 6), datetime.min, datetime.max),
    *(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))),
    *(UUID(int=0), UUID(int=2**127), UUID(int=2**128 - 1)),
]
LISTS: list[Any] = [
    [],
    {},
    [None],
    [True],
    [1],
    [1.0, "a"],
    [0.1, 2**53 + 1, -0.0],
    ["\x1f", "é", "ab"],
    [date(2026, 1, 2), UUID(int=0), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
    [[1], ["a"], {"x": 1}],
    {"x": 1},
    {"0": "a", "": 2},
]
PATHS = ["f", "n.f", "n.0", "n", "nothing", "n.f.x", "a'b", "A", "é", "list-1", "_id", "_version"]
INDEXED = [{"field": path} for path in PATHS if path[0] != "_"]


def among(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    """As `sampled_from`, which names all of them wherever it is shown."""
    return st.integers(0, len(values) - 1).map(values.__getitem__)


zones = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]
)
finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
scalars = (
    among(SCALARS)
    | st.integers(-(2**63), 2**63 - 1)
    | finite
    | text
    | st.datetimes()
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)
    | st.uuids()
)
ordered = scalars.filter(lambda each: each is not None)
values = scalars | among(LISTS) | st.lists(scalars, max_size=3)
OPERATORS = ["$eq", "$ne", "$contains", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"]


@st.composite
def conditions(draw: st.DrawFn) -> Any:
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(OPERATORS), min_size=1, max_size=2)):
        if name == "$exists":
            found[name] = draw(st.booleans())
        elif name in ("$in", "$nin"):
            found[name] = draw(st.lists(scalars, max_size=4))
        else:
            found[name] = draw(ordered if name[1] in "gl" else scalars)
    return {"$not": found} if draw(st.integers(0, 9)) == 0 else found


@st.composite
def filters(draw: st.DrawFn, levels: int = 3) -> Any:
    kind = draw(st.integers(0, 7)) if levels else 7
    inner = filters(levels - 1)
    if kind == 0:
        return {"$not": draw(inner)}
    if kind <= 2:
        return {("$and", "$or")[kind - 1]: draw(st.lists(inner, min_size=1, max_size=3))}
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=2, unique=True))
    return {path: draw(scalars | conditions()) for path in paths}


documents = st.fixed_dictionaries(
    {},
    optional={
        "f": values,
        "n": values | st.fixed_dictionaries({}, optional={"f": values, "0": values}),
        "a'b": values,
        "A": values,
        "é": values,
        "list-1": values,
    },
)

SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
async def both(declare: Any) -> list[Collection]:
    """One collection without indexes, and one with an index on everything."""
    collections = await declare(bare=[], indexed=INDEXED)
    return [collections["bare"], collections["indexed"]]


async def fill(both: list[Collection], documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Store the same documents in both, and give them as they come back."""
    stored = []
    for number, document in enumerate(documents):
        stored.append({"_id": f"{number:04}", "_version": 1, **document})
    for collection in both:
        await collection.delete({})
        new = [{k: v for k, v in each.items() if k != "_version"} for each in stored]
        await collection.insert_many(new)
    return stored


async def check(both: list[Collection], stored: list[dict[str, Any]], wanted: Any) -> None:
    expected = [each["_id"] for each in stored if matches(each, wanted)]
    for collection in both:
        found = [each["_id"] for each in await collection.find(wanted)]
        assert found == expected, (collection.name, wanted)


def every_value() -> list[dict[str, Any]]:
    chosen = random.Random(7)
    found: list[dict[str, Any]] = [{}]
    for value in [*SCALARS, *LISTS]:
        found.append({"f": value, "n": {"f": chosen.choice([*SCALARS, *LISTS]), "0": value}})
        found.append({"n": value, "é": chosen.choice(SCALARS), "A": value, "a'b": value})
    return found


async def test_each_operator_with_each_value(both: list[Collection]) -> None:
    stored = await fill(both, every_value())
    for operand in SCALARS:
        names = ["$eq", "$ne", "$contains"]
        if operand is not None:
            names += ["$gt", "$gte", "$lt", "$lte"]
        for name in names:
            await check(both, stored, {"f": {name: operand}})
        await check(both, stored, {"n.0": {"$in": [operand, "b", 7]}})
        await check(both, stored, {"f": {"$nin": [operand]}, "n.f": {"$not": {"$in": []}}})


async def test_each_operator_about_ids_and_versions(both: list[Collection]) -> None:
    stored = await fill(both, [{} for _ in range(12)])
    for operand in ("0007", "00", "1", "", None, 7, 1, 0.5, 2, 1.0, -(2.0**64), 2.0**64, True):
        for path in ("_id", "_version"):
            for name in ("$eq", "$ne", "$contains", "$gt", "$gte", "$lt", "$lte"):
                if operand is not None or name[1] in "enc":
                    await check(both, stored, {path: {name: operand}})
            await check(both, stored, {path: {"$in": [operand, "0003", 3]}})
            await check(both, stored, {path: {"$exists": operand is None}})


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
async def test_filters_that_were_thought_up(both: list[Collection], data: st.DataObject) -> None:
    stored = await _stored_once(both)
    await check(both, stored, data.draw(filters()))


async def _stored_once(both: list[Collection]) -> list[dict[str, Any]]:
    if not await both[1].exists():
        await fill(both, every_value())
    return [{"_id": f"{n:04}", "_version": 1, **each} for n, each in enumerate(every_value())]


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(
    given_documents=st.lists(documents, max_size=12),
    wanted=st.lists(filters(), min_size=5, max_size=8),
)
async def test_documents_that_were_thought_up(
    both: list[Collection], given_documents: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    stored = await fill(both, given_documents)
    for collection in both:
        assert repr(await collection.find()) == repr([_in_utc(each) for each in stored])
    for each in wanted:
        await check(both, stored, each)


def _in_utc(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_utc(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_in_utc(part) for part in value]
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC)
        return moment.replace(fold=0)  # which tells nothing where there is no zone
    return value


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(
    given_documents=st.lists(
        st.fixed_dictionaries({}, optional={"f": scalars, "A": scalars}), max_size=30
    ),
    sort=st.lists(
        st.sampled_from(["f", "-f", "A", "-A", "_version", "-_id"]), min_size=1, max_size=3
    ),
    offset=st.integers(0, 5),
    limit=st.none() | st.integers(0, 30),
)
async def test_the_order_that_was_asked_for(
    both: list[Collection],
    given_documents: list[dict[str, Any]],
    sort: list[str],
    offset: int,
    limit: int | None,
) -> None:
    stored = await fill(both, given_documents)
    end = None if limit is None else offset + limit
    expected = in_order(stored, sort)[offset:end]
    for collection in both:
        found = await collection.find(sort=sort, offset=offset, limit=limit)
        assert [each["_id"] for each in found] == expected, collection.name
        if limit is None and not offset:
            streamed = [each["_id"] async for each in collection.stream(sort=sort, chunk=3)]
            assert streamed == expected


async def test_every_scalar_in_order_with_lists_and_objects_last(both: list[Collection]) -> None:
    shuffled = random.Random(3).sample([*SCALARS, *LISTS], len(SCALARS) + len(LISTS))
    stored = await fill(both, [{"f": value} for value in shuffled])
    plain = [each for each in stored if kind_of(each["f"])[0] < 5]
    for collection in both:
        found = [each["_id"] for each in await collection.find(sort="f")]
        assert found[: len(plain)] == in_order(plain, ["f"])
        assert set(found[len(plain) :]) == {each["_id"] for each in stored} - set(
            found[: len(plain)]
        )
        assert [each["_id"] for each in await collection.find(sort="-f")] == found[::-1]


async def test_count_exists_and_delete_go_by_the_same_filter(both: list[Collection]) -> None:
    wanted = {"f": {"$gte": 1}, "$or": [{"n.0": {"$exists": True}}, {"n": {"$contains": 1}}]}
    stored = await fill(both, every_value())
    expected = [each["_id"] for each in stored if matches(each, wanted)]
    assert expected
    for collection in both:
        assert await collection.count(wanted) == len(expected)
        assert await collection.exists(wanted)
        assert await collection.update(wanted, {"seen": True}) == len(expected)
        assert await collection.count({"seen": True, "_version": 2}) == len(expected)
        assert await collection.delete(wanted) == len(expected)
        assert not await collection.exists(wanted)
        assert await collection.count() == len(stored) - len(expected)


async def test_large_filters_are_run(both: list[Collection]) -> None:
    stored = await fill(both, [{"f": number, "A": str(number)} for number in range(50)])
    for collection in both:
        many = {"$or": [{"f": number, "A": str(number)} for number in range(25, 350)]}
        assert await collection.count(many) == 25
        assert await collection.count({"f": {"$in": list(range(40, 1040))}}) == 10
        assert await collection.count({"A": {"$nin": [str(n) for n in range(1000)]}}) == 0
        deep: dict[str, Any] = {"f": 7}
        for _ in range(18):
            deep = {"$not": deep}
        assert await collection.count(deep) == 1
        path = ".".join(f"k{number}" for number in range(20))
        assert await collection.count({path: None}) == len(stored)
    assert json.dumps(stored)
