"""One suite for the engines of servers: tables, limits, the pool and what is told about it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nexus.data.database import Database, Limits
from nexus.errors import DatabaseUnavailable

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
    database = await open_database(Limits(pool_size=1, pool_timeout=0.2))
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
