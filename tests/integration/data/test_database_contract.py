"""One suite for every database engine: statements, streams and what failures leave behind."""

import asyncio
import tracemalloc
from typing import Any

import pytest

from nexus.data.database import Database
from nexus.errors import DatabaseClosed, DatabaseUnavailable, UniqueViolation

FILES_AND_SERVERS = pytest.mark.parametrize(
    "engine", ["sqlite", "postgresql", "mariadb"], indirect=True
)


async def test_a_statement_gives_the_number_of_rows_it_changed(things: Any) -> None:
    await things.add_many([1, 2, 3])
    update = things.sql("UPDATE things SET name = 'same' WHERE id = ?")

    assert await things.add(4) == 1
    assert await things.database.execute(update, (1,)) == 1
    assert await things.database.execute(update, (1,)) == 1  # found, though nothing changed
    assert await things.database.execute(update, (9,)) == 0
    assert await things.database.execute("DELETE FROM things WHERE id > 2") == 2


async def test_a_query_gives_the_first_row_or_none_or_all(things: Any) -> None:
    await things.add_many([1, 2])
    query = "SELECT id, name FROM things ORDER BY id"

    assert tuple(await things.database.fetch_one(query)) == (1, "n1")
    assert [tuple(row) for row in await things.database.fetch_all(query)] == [(1, "n1"), (2, "n2")]
    assert await things.database.fetch_one("SELECT id FROM things WHERE id = 9") is None
    assert len(await things.database.fetch_all("SELECT id FROM things WHERE id = 9")) == 0


VALUES = [
    ("BIGINT", [0, 1, -1, 2**63 - 1, -(2**63), None]),
    ("DOUBLE PRECISION", [0.0, 0.1, -1.5, 1e308, 5e-324, 2.0, None]),
    (
        "text",
        ["", "é", "a'b\"c`d", "back\\slash", "%s %d %%", "? $1", "\U0010ffff", "\n\r\t", None],
    ),
    ("blob", [b"", b"\0\xff'\"\\%", bytes(range(256)), b"x" * 100_000, None]),
]


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind for kind, _ in VALUES])
async def test_values_come_back_as_they_went_in(
    things: Any, kind: str, values: list[object]
) -> None:
    names = {
        "sqlite": {"text": "TEXT", "blob": "BLOB"},
        "postgresql": {"text": "TEXT", "blob": "BYTEA"},
        "mariadb": {"text": "LONGTEXT", "blob": "LONGBLOB"},
    }
    database = things.database
    column = names[database.engine].get(kind, kind)
    await database.execute(f"CREATE TABLE kept (id INTEGER PRIMARY KEY, v {column})")
    insert = things.sql("INSERT INTO kept VALUES (?, ?)")
    for number, value in enumerate(values):
        await database.execute(insert, (number, value))
    await database.execute_many(
        insert, [(number + 100, value) for number, value in enumerate(values)]
    )

    rows = await database.fetch_all("SELECT v FROM kept ORDER BY id")
    streamed = [row[0] async for row in database.stream("SELECT v FROM kept ORDER BY id")]

    assert [(row[0], type(row[0])) for row in rows] == [(v, type(v)) for v in values * 2]
    assert streamed == values * 2


async def test_many_rows_are_stored_and_counted(things: Any) -> None:
    assert await things.add_many(range(5000)) == 5000
    assert await things.count() == 5000
    assert await things.add_many([]) == 0
    update = things.sql("UPDATE things SET name = ? WHERE id = ?")
    rows = [("x1", 1), ("x2", 2), ("nobody", 99_999)]
    assert await things.database.execute_many(update, rows) == 2


async def test_of_many_rows_all_are_stored_or_none(things: Any) -> None:
    await things.add(2500)

    with pytest.raises(UniqueViolation):
        await things.add_many(range(5000))

    assert await things.numbers() == [2500]


async def test_many_rows_with_none_in_a_column_or_of_several_types_are_stored(things: Any) -> None:
    await things.database.execute("CREATE TABLE loose (id INTEGER PRIMARY KEY, n BIGINT)")
    insert = things.sql("INSERT INTO loose VALUES (?, ?)")

    assert await things.database.execute_many(insert, [(1, None), (2, None)]) == 2
    assert await things.database.execute_many(insert, [(3, None), (4, 4)]) == 2

    rows = await things.database.fetch_all("SELECT n FROM loose ORDER BY id")
    assert [row[0] for row in rows] == [None, None, None, 4]


async def test_a_unique_index_that_refuses_is_named(things: Any) -> None:
    await things.add(1, "taken")

    with pytest.raises(UniqueViolation) as caught:
        await things.add(2, "taken")

    by_name = {"sqlite": "things.name"}.get(things.database.engine, "things_by_name")
    assert caught.value.data["constraint"] == by_name
    async with things.database.transaction() as transaction:
        with pytest.raises(UniqueViolation):
            await transaction.execute(things.insert, (2, "taken"))


async def test_a_statement_that_is_wrong_disturbs_nobody(things: Any) -> None:
    for wrong in ("SELEKT 1", "SELECT nothing FROM things", "INSERT INTO nowhere VALUES (1)"):
        with pytest.raises(Exception, match=r".") as caught:
            await things.database.execute(wrong)
        assert not isinstance(caught.value, DatabaseUnavailable)

    assert await things.add(1) == 1


@pytest.mark.parametrize("value", ["\ud800", 2**70, object()], ids=["surrogate", "big", "object"])
async def test_a_value_that_no_column_takes_is_refused_and_stores_nothing(
    things: Any, value: object
) -> None:
    values = (value, "one") if isinstance(value, int) else (1, value)
    with pytest.raises(Exception, match=r".") as caught:
        await things.database.execute(things.insert, values)
    assert not isinstance(caught.value, DatabaseUnavailable)

    assert await things.numbers() == []
    assert await things.add(1) == 1


async def test_a_stream_gives_all_rows_in_order(things: Any) -> None:
    await things.add_many(range(1001))
    query = things.sql("SELECT id FROM things WHERE id >= ? ORDER BY id")

    for chunk in (1, 10, 500, 1001, 5000):
        rows = [row[0] async for row in things.database.stream(query, (1,), chunk=chunk)]
        assert rows == list(range(1, 1001))


async def test_a_stream_that_is_left_early_gives_its_connection_back(things: Any) -> None:
    await things.add_many(range(1000))

    for _ in range(30):
        rows = things.database.stream("SELECT id FROM things ORDER BY id", chunk=10)
        async for row in rows:
            assert row[0] == 0
            break
        await rows.aclose()

    assert await things.count() == 1000


async def test_statements_can_be_run_within_a_stream(things: Any) -> None:
    await things.add_many(range(300))
    seen: list[int] = []

    async with things.database.transaction() as transaction:
        query = "SELECT id FROM things ORDER BY id"
        async for row in transaction.stream(query, chunk=7):
            seen.append(row[0])
            if row[0] % 100 == 0:
                await things.add(1000 + row[0])
            if row[0] == 150:
                with pytest.raises(UniqueViolation):
                    await things.add(0)

    assert seen[:300] == list(range(300))
    assert (await things.numbers())[300:] == [1000, 1100, 1200]


async def test_a_stream_in_a_transaction_may_be_left_early(things: Any) -> None:
    await things.add_many(range(3000))

    async with things.database.transaction() as transaction:
        async for _ in transaction.stream("SELECT id FROM things", chunk=10):
            break
        await things.add(5000)

    assert await things.count() == 3001


@FILES_AND_SERVERS
async def test_a_long_stream_takes_no_more_memory_than_a_part_of_it(database: Database) -> None:
    query = {
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000)"
        " SELECT x, printf('%.500c', 'x') FROM n",
        "postgresql": "SELECT x, REPEAT('x', 500) FROM generate_series(1, 100000) AS n(x)",
        "mariadb": "SELECT seq, REPEAT('x', 500) FROM seq_1_to_100000",
    }[database.engine]
    tracemalloc.start()
    try:
        number = 0
        async for row in database.stream(query):
            number += 1
            assert row[0] == number
            if number % 10_000 == 0:
                await asyncio.sleep(0.01)  # time for the server to send ahead
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert number == 100_000
    assert peak < 5_000_000  # of fifty million bytes


@FILES_AND_SERVERS
async def test_streams_run_side_by_side(things: Any) -> None:
    await things.add_many(range(2000))

    async def total() -> int:
        query = "SELECT id FROM things"
        return sum([row[0] async for row in things.database.stream(query, chunk=50)])

    assert await asyncio.gather(*(total() for _ in range(8))) == [sum(range(2000))] * 8


async def test_a_check_takes_time_and_writes(database: Database) -> None:
    query = "SELECT beats FROM heartbeat"
    before = await database.fetch_one(query)
    seconds = await database.check()

    if database.location != "memory":
        assert seconds > 0
        assert (await database.fetch_one(query))[0] == before[0] + 1


@FILES_AND_SERVERS
async def test_a_closed_database_refuses(open_database: Any) -> None:
    database = await open_database()
    await database.close()

    async def stream() -> None:
        async for _ in database.stream("SELECT 1"):
            pass

    for call in (
        lambda: database.execute("DELETE FROM heartbeat"),
        lambda: database.execute_many("DELETE FROM heartbeat", [()]),
        lambda: database.fetch_one("SELECT 1"),
        lambda: database.fetch_all("SELECT 1"),
        stream,
        database.begin,
        database.check,
    ):
        with pytest.raises(DatabaseClosed):
            await call()
    await database.close()


async def test_an_engine_says_what_it_is_and_where(database: Database, engine: str) -> None:
    assert database.engine == ("sqlite" if engine == "memory" else engine)
    assert database.location
    assert all(isinstance(value, int | float) for value in database.figures().values())


@FILES_AND_SERVERS
async def test_many_callers_at_once_all_get_their_answer(things: Any) -> None:
    async def write_and_read(number: int) -> None:
        await things.add(number)
        row = await things.database.fetch_one(
            things.sql("SELECT name FROM things WHERE id = ?"), (number,)
        )
        assert row[0] == f"n{number}"

    await asyncio.gather(*(write_and_read(number) for number in range(300)))

    assert await things.count() == 300
