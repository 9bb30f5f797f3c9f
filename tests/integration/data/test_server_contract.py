"""One suite for the engines of servers: tables, limits, the pool and what is told about it."""

import asyncio
import os
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from nexus.data.database import Database, Limits
from nexus.data.engines.opening import make_database
from nexus.data.url import parse_url
from nexus.errors import DatabaseUnavailable
from nexus.testing.servers import temporary_database

SERVERS = {
    "postgresql": os.environ.get(
        "NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"
    ),
    "mariadb": os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
}

pytestmark = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)


async def test_tables_that_are_there_already_are_kept(open_database: Any) -> None:
    first = await open_database()
    await first.check()
    second = await open_database()

    assert (await second.fetch_one("SELECT beats FROM heartbeat"))[0] == 1


async def test_many_may_open_an_empty_database_at_once(open_database: Any) -> None:
    databases = await asyncio.gather(*(open_database(Limits(pool_size=2)) for _ in range(6)))

    for database in databases:
        await database.check()
    assert (await databases[0].fetch_one("SELECT beats FROM heartbeat"))[0] == 6
    assert (await databases[0].fetch_one("SELECT COUNT(*) FROM nexus_schema"))[0] == 1


async def test_a_newer_database_is_refused(open_database: Any) -> None:
    database = await open_database()
    await database.execute("UPDATE nexus_schema SET version = version + 1")

    with pytest.raises(DatabaseUnavailable, match="newer Nexus"):
        await open_database()


async def test_another_applications_tables_are_refused_and_kept(
    open_database: Any, things_in: Callable[[Database], Any]
) -> None:
    database = await open_database()
    await database.execute("DROP TABLE nexus_schema")
    await things_in(database).create()

    with pytest.raises(DatabaseUnavailable, match="another application"):
        await open_database()

    assert await things_in(database).count() == 0
    assert await database.fetch_one("SELECT COUNT(*) FROM key_value") is not None


async def test_a_statement_that_takes_too_long_is_stopped(
    open_database: Any, things_in: Callable[[Database], Any]
) -> None:
    database = await open_database(Limits(statement=0.2))
    things = things_in(database)
    await things.create()

    with pytest.raises(DatabaseUnavailable, match=r"more than 0\.2 s|lost"):
        await database.fetch_all(
            things.slow
            if database.engine == "postgresql"
            else "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b,"
            " information_schema.columns c"
        )
    async with database.transaction() as transaction:
        await things.add(1)
        if database.engine == "postgresql":
            with pytest.raises(DatabaseUnavailable):
                await transaction.fetch_all(things.slow)
        await things.add(2)

    assert await things.numbers() == [1, 2]


async def test_a_caller_who_finds_all_connections_in_use_is_told(
    open_database: Any, things_in: Callable[[Database], Any]
) -> None:
    database = await open_database(Limits(pool_size=1, pool_timeout=2.0))
    things = things_in(database)
    await things.create()

    async with database.transaction():
        await things.add(1)
        with pytest.raises(DatabaseUnavailable, match="in use"):
            await read_outside(database)

    assert await things.numbers() == [1]


async def read_outside(database: Database) -> None:
    lease = await database.begin()
    await lease.rollback()


async def test_figures_tell_about_the_pool_and_the_queries(things: Any) -> None:
    database = things.database
    before = database.figures()
    with pytest.raises(Exception, match=r"."):
        await database.execute("SELEKT 1")
    async with database.transaction():
        await things.add(1)
        within = database.figures()
    after = database.figures()

    assert within["pool_in_use"] == before["pool_in_use"] + 1
    assert after["pool_in_use"] == before["pool_in_use"]
    assert after["pool_size"] == 10
    assert after["pool_idle"] >= 1
    assert after["queries"] >= before["queries"] + 2
    assert after["failed_queries"] == before["failed_queries"] + 1


async def test_a_slow_query_is_logged_without_its_parameters(
    open_database: Any, things_in: Callable[[Database], Any], caplog: pytest.LogCaptureFixture
) -> None:
    database = await open_database(Limits(slow_query=0.0))
    things = things_in(database)
    await things.create()
    caplog.clear()

    await things.add(1, "a secret")

    [record] = [each for each in caplog.records if each.message == "A query was slow"]
    assert vars(record)["statement"] == things.insert
    assert vars(record)["seconds"] >= 0
    assert "a secret" not in str(vars(record))
    assert database.figures()["slow_queries"] >= 1


LONG = {
    "postgresql": "SELECT x, REPEAT('x', 500) FROM generate_series(1, 100000) AS n(x)",
    "mariadb": "SELECT seq, REPEAT('x', 500) FROM seq_1_to_100000",
}


def test_a_long_stream_takes_little_memory_with_uvloop_too(engine: str) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def peak() -> int:
        async with temporary_database(SERVERS[engine]) as url:
            database = make_database(parse_url(url), limits=Limits())
            await database.open()
            tracemalloc.start()
            try:
                number = 0
                async for _ in database.stream(LONG[engine]):
                    number += 1
                    if number % 10_000 == 0:
                        await asyncio.sleep(0.01)  # time for the server to send ahead
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
                await database.close()

    try:
        found = uvloop.run(peak())
    except DatabaseUnavailable as error:
        if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
            raise
        pytest.skip(str(error))

    assert found < 5_000_000  # of fifty million bytes


async def test_a_stream_that_fails_on_the_way_leaves_its_transaction_usable(things: Any) -> None:
    await things.add_many(range(1, 3000))
    failing = {
        "postgresql": "SELECT 1 / (2500 - id) FROM things ORDER BY id",
        "mariadb": "SELECT IF(id = 2500, (SELECT id FROM things WHERE id < 3), id) FROM things",
    }[things.database.engine]

    async with things.database.transaction() as transaction:
        await things.add(5000)
        for _ in range(2):
            with pytest.raises(Exception, match=r"zero|more than 1 row"):
                async for _row in transaction.stream(failing, chunk=10):
                    pass
        await things.add(5001)

    assert await things.count() == 3001
    assert things.database.figures()["pool_in_use"] == 0


async def test_a_stream_may_be_read_more_slowly_than_a_statement_may_take(
    open_database: Any,
) -> None:
    database = await open_database(Limits(statement=0.5))
    number = 0

    async for _ in database.stream(LONG[database.engine]):
        number += 1
        if number % 20_000 == 0:
            await asyncio.sleep(0.3)

    assert number == 100_000


async def test_a_stream_that_gives_no_row_in_time_is_stopped_at_the_server_too(
    open_database: Any, things_in: Callable[[Database], Any]
) -> None:
    database = await open_database(Limits(statement=0.5, pool_size=1))
    slow = things_in(database).slow
    running = {
        "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active'"
        " AND query LIKE $1 AND datname = current_database() AND pid <> pg_backend_pid()",
        "mariadb": "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE info LIKE %s AND db = DATABASE() AND id <> CONNECTION_ID()",
    }[database.engine]

    with pytest.raises(DatabaseUnavailable, match=r"more than 0\.5 s"):
        async for _ in database.stream(slow):
            pass

    async with asyncio.timeout(5):
        while (await database.fetch_one(running, (f"%{slow}",)))[0]:
            await asyncio.sleep(0.05)


async def test_a_stream_of_large_rows_that_is_left_early_is_not_fetched(
    open_database: Any,
) -> None:
    database = await open_database(Limits(pool_size=1))
    query = {
        "postgresql": "SELECT REPEAT('x', 1000000) FROM generate_series(1, 500)",
        "mariadb": "SELECT REPEAT('x', 1000000) FROM seq_1_to_500",
    }[database.engine]
    tracemalloc.start()
    try:
        for _ in range(3):
            async with aclosing(database.stream(query, chunk=1)) as rows:
                async for _row in rows:
                    break
            assert (await database.fetch_one("SELECT 1"))[0] == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 30_000_000  # of five hundred million bytes


async def test_a_stream_that_nobody_closes_gives_its_connection_back(open_database: Any) -> None:
    database = await open_database(Limits(pool_size=1))

    for _ in range(5):
        async for row in database.stream(LONG[database.engine], chunk=10):
            assert row[0] == 1
            break
        async with asyncio.timeout(10):
            assert (await database.fetch_one("SELECT 1"))[0] == 1


async def test_a_stream_whose_reader_is_cancelled_gives_its_connection_back(
    open_database: Any,
) -> None:
    database = await open_database(Limits(pool_size=1))
    seen = asyncio.Event()

    async def read() -> None:
        async for _ in database.stream(LONG[database.engine], chunk=10):
            seen.set()

    for _ in range(5):
        seen.clear()
        reader = asyncio.create_task(read())
        await seen.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        async with asyncio.timeout(10):
            assert (await database.fetch_one("SELECT 1"))[0] == 1
