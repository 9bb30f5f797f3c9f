"""One suite for every key-value store."""

import asyncio
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus.data import MISSING, KeyValueStore, MemoryKeyValueStore, SqlKeyValueStore
from nexus.data.database import Database
from nexus.errors import DatabaseClosed, InvalidKey, NotJson, ValueTooLarge


@pytest.fixture(params=["dictionary", "memory", "sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(engine: str, database: Database) -> KeyValueStore:
    if engine == "dictionary":
        return MemoryKeyValueStore(max_bytes=1000)
    return SqlKeyValueStore(database, max_bytes=1000)


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -(2**63) - 1,
    10**400,
    0.1,
    1e308,
    5e-324,
    2.0,
    "",
    "1",
    "null",
    "nul\0inside",
    "\U0001f600",
    "\ud800",
    "\ud83d\ude00",  # two lone surrogates, not the one character that they would make
    "a\udfff\U0001f600é",
    [],
    {},
    [[[]]],
    {"": {"\ud800": [1, 1.0, True, None]}},
    {"b": 1, "a": 2},
]


def same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:30])
async def test_a_value_comes_back_exactly_as_it_went_in(store: KeyValueStore, value: Any) -> None:
    await store.set("one", "key", value)

    assert same(await store.get("one", "key"), value)
    assert same(await store.items("one"), {"key": value})


async def test_minus_zero_keeps_its_sign(store: KeyValueStore) -> None:
    await store.set("one", "key", [-0.0, 0.0])

    assert repr(await store.get("one", "key")) == "[-0.0, 0.0]"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=[]), max_size=3), inner)
    ),
    max_leaves=8,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=json_values)
def test_any_json_value_survives_encoding(value: Any) -> None:
    async def trip() -> None:
        store = MemoryKeyValueStore()
        await store.set("one", "key", value)
        assert same(await store.get("one", "key"), value)

    asyncio.run(trip())


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ((1, 2), "$"),
        ({"a": [1, {2}]}, "$.a[1]"),
        ({1: "one"}, "$"),
        ({"a": {None: 1}}, "$.a"),
        ([float("nan")], "$[0]"),
        ({"x": float("inf")}, "$.x"),
        (b"bytes", "$"),
        ({"at": datetime.now(UTC)}, "$.at"),
        (Color.RED, "$"),
        (Level.LOW, "$"),
        (object(), "$"),
        (10**5000, "$"),
    ],
    # The same in every process, hence without the addresses that repr gives.
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_what_json_cannot_carry_is_refused_with_its_path(
    store: KeyValueStore, value: Any, path: str
) -> None:
    await store.set("one", "key", "before")

    with pytest.raises(NotJson) as caught:
        await store.set("one", "key", value)

    assert caught.value.path == path
    assert path in str(caught.value)
    assert await store.get("one", "key") == "before"


async def test_a_value_may_nest_a_hundred_levels_and_no_more(store: KeyValueStore) -> None:
    await store.set("one", "key", nested(100))

    with pytest.raises(NotJson, match="100 levels"):
        await store.set("one", "key", nested(101))
    with pytest.raises(NotJson, match="contains itself"):
        await store.set("one", "key", circle())

    assert await store.get("one", "key") == nested(100)


async def test_a_value_over_the_limit_is_refused(store: KeyValueStore) -> None:
    await store.set("one", "key", "x" * 998)

    for value in ("x" * 999, "é" * 500, [0] * 600):
        with pytest.raises(ValueTooLarge):
            await store.set("one", "key", value)

    assert await store.get("one", "key") == "x" * 998


async def test_a_value_that_repeats_itself_without_end_is_refused_early(
    store: KeyValueStore,
) -> None:
    value: list[Any] = [1]
    for _ in range(90):
        value = [value, value]

    for too_large in (value, [0.5] * 502, [[0.5]] * 251, {"a": [[0.5] * 500, 0.5]}):
        with pytest.raises(ValueTooLarge):
            await store.set("one", "key", too_large)


@pytest.mark.parametrize(
    "key", ["", "x" * 513, "nul\0", "\ud800", 1, None, b"key"], ids=lambda key: ascii(key)[:30]
)
async def test_a_key_that_no_store_takes_is_refused(store: KeyValueStore, key: Any) -> None:
    for call in (
        store.get("one", key),
        store.set("one", key, 1),
        store.set_if_absent("one", key, 1),
        store.delete("one", key),
        store.update("one", {key: 1}),
        store.clear(key),
        store.get(key, "key"),
    ):
        with pytest.raises(InvalidKey):
            await call


async def test_keys_of_every_length_and_script_are_taken(store: KeyValueStore) -> None:
    keys = ["k", "x" * 512, "\U0010ffff" * 512, "é", "e\u0301", " ", "k ", "K", "a'b", "%", "_"]
    keys += ["".join(map(chr, range(0x10000 + 600 * n, 0x10000 + 600 * n + 512))) for n in range(5)]
    for number, key in enumerate(keys):
        await store.set("one", key, number)
        await store.set(key, keys[2], number)

    assert [await store.get("one", key) for key in keys] == list(range(len(keys)))
    assert [await store.get(key, keys[2]) for key in keys] == list(range(len(keys)))
    assert list(await store.items("one")) == sorted(keys)


async def test_a_missing_key_gives_missing_and_not_none(store: KeyValueStore) -> None:
    await store.set("one", "none", None)

    assert await store.get("one", "none") is None
    assert await store.get("one", "nothing") is MISSING


async def test_namespaces_never_see_each_other(store: KeyValueStore) -> None:
    await store.set("one", "key", 1)
    await store.set("two", "key", 2)

    assert await store.clear("one") == 1
    assert await store.get("one", "key") is MISSING
    assert await store.get("two", "key") == 2


async def test_what_a_caller_does_to_a_value_stays_with_the_caller(store: KeyValueStore) -> None:
    value = {"list": [1]}
    await store.set("one", "key", value)
    value["list"].append(2)
    (await store.get("one", "key"))["list"].append(3)

    assert await store.get("one", "key") == {"list": [1]}


async def test_of_many_first_writers_exactly_one_succeeds(store: KeyValueStore) -> None:
    answers = await asyncio.gather(
        *(store.set_if_absent("one", "key", number) for number in range(20))
    )

    assert sum(answers) == 1
    assert await store.get("one", "key") == answers.index(True)


async def test_many_first_writes_of_one_key_all_succeed(store: KeyValueStore) -> None:
    await asyncio.gather(*(store.set("one", "key", number) for number in range(20)))

    assert await store.get("one", "key") in range(20)


async def test_delete_says_whether_there_was_a_value(store: KeyValueStore) -> None:
    await store.set("one", "key", None)

    assert await store.delete("one", "key") is True
    assert await store.delete("one", "key") is False


async def test_an_update_changes_everything(store: KeyValueStore) -> None:
    await store.set("one", "old", 1)

    await store.update("one", {"new": 2, "old": MISSING, "never": MISSING})

    assert await store.items("one") == {"new": 2}


async def test_an_update_with_one_bad_value_changes_nothing(store: KeyValueStore) -> None:
    await store.set("one", "old", 1)

    with pytest.raises(NotJson):
        await store.update("one", {"new": 2, "old": MISSING, "bad": {1, 2}})

    assert await store.items("one") == {"old": 1}


async def test_items_are_those_with_the_prefix_in_order(store: KeyValueStore) -> None:
    for key in ("b", "a\U0010ffff", "a", "ab", "a\ud7ff", "A", "a_", "a\U0010ffff\U0010ffff"):
        await store.set("one", key, 1)

    assert list(await store.items("one", "a")) == [
        "a",
        "a_",
        "ab",
        "a\ud7ff",
        "a\U0010ffff",
        "a\U0010ffff\U0010ffff",
    ]
    assert len(await store.items("one")) == 8
    assert await store.items("two") == {}


async def test_a_closed_memory_store_refuses() -> None:
    store = MemoryKeyValueStore()
    store.close()

    with pytest.raises(DatabaseClosed):
        await store.get("one", "key")


@pytest.mark.parametrize("engine", ["memory", "sqlite", "postgresql", "mariadb"])
async def test_what_is_read_and_set_in_a_transaction_is_not_lost(database: Database) -> None:
    store = SqlKeyValueStore(database)
    await store.set("one", "count", 0)

    async def count() -> None:
        async with database.transaction():
            await store.set("one", "count", await store.get("one", "count") + 1)

    await asyncio.gather(*(count() for _ in range(30)))

    assert await store.get("one", "count") == 30


@pytest.mark.parametrize("engine", ["dictionary"])
async def test_what_contains_itself_twice_is_refused_at_once(store: KeyValueStore) -> None:
    value: list[Any] = []
    value += [value, value]

    with pytest.raises(NotJson):
        await store.set("one", "key", value)
