"""The databases that `nexus.testing.servers` makes for tests."""

import os
import time
from typing import Any

import pytest

from nexus.data.database import Limits
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import DatabaseUnavailable
from nexus.testing import servers
from nexus.testing.servers import temporary_database

SERVERS = {
    "postgresql": os.environ.get(
        "NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"
    ),
    "mariadb": os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
}

pytestmark = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)


async def exists(url: str) -> bool:
    database = make_database(parse_url(url), limits=Limits(pool_timeout=2.0))
    try:
        await database.open()
    except DatabaseUnavailable as error:
        if "no such database" in str(error):
            return False
        raise
    await database.close()
    return True


async def test_a_database_is_there_for_the_block_only(url: DatabaseUrl, engine: str) -> None:
    async with temporary_database(SERVERS[engine]) as first:
        async with temporary_database(SERVERS[engine]) as second:
            assert first != second
            assert await exists(second)
        assert not await exists(second)
        assert await exists(first)
    assert not await exists(first)
    assert url.database not in {parse_url(first).database, parse_url(second).database}


async def test_a_database_is_dropped_when_its_test_fails_and_leaves_it_open(
    url: DatabaseUrl, engine: str
) -> None:
    opened: list[Any] = []

    async def fail() -> None:
        async with temporary_database(SERVERS[engine]) as text:
            opened.append(text)
            database: Any = make_database(parse_url(text), limits=Limits())
            await database.open()
            opened.append(database)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert not await exists(opened[0])
    await opened[1].close()


async def test_what_killed_tests_have_left_is_dropped_an_hour_later(
    url: DatabaseUrl, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_swept", set())
    names = {age: f"nexus_test_{int(time.time() - age):x}_{os.getpid():x}" for age in (60, 4000)}
    server: Any = make_database(parse_url(SERVERS[engine]), limits=Limits())
    connection = await server.connect()
    for name in names.values():
        await connection.execute(f"CREATE DATABASE {name}", ())

    async with temporary_database(SERVERS[engine]):
        pass

    left = {age: await exists(SERVERS[engine].replace("/test", f"/{names[age]}")) for age in names}
    await connection.execute(f"DROP DATABASE {names[60]}", ())
    await connection.close()
    assert left == {60: True, 4000: False}


async def test_a_file_needs_no_server(engine: str) -> None:
    with pytest.raises(ValueError, match="needs no server"):
        async with temporary_database("sqlite:///nexus.db"):
            pass
