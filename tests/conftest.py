"""What tests of every kind share: databases on the servers of this machine.

`NEXUS_TEST_POSTGRESQL` and `NEXUS_TEST_MARIADB` name other servers. A server that is missing skips
its tests by name, or fails them where `NEXUS_TEST_REQUIRE_SERVERS` is 1.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeAlias

import pytest

from nexus.data.url import parse_url
from nexus.errors import DatabaseUnavailable
from nexus.testing.servers import temporary_database

_SERVERS: Final = {
    "postgresql": (
        "PostgreSQL",
        os.environ.get("NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"),
    ),
    "mariadb": (
        "MariaDB",
        os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
    ),
}

NewDatabase: TypeAlias = Callable[[str], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def _new_database(engine: str) -> AsyncIterator[str]:
    name, server = _SERVERS[engine]
    making = temporary_database(server)
    try:
        url = await making.__aenter__()
    except DatabaseUnavailable as error:
        what = f"no {name} at {parse_url(server).location}"
        if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{what}: {error.data['problem']}")
        pytest.skip(f"skipped: {what}")
    try:
        yield url
    finally:
        await making.__aexit__(None, None, None)


@pytest.fixture
def new_database() -> NewDatabase:
    """Give what makes an empty database on the server of an engine, and drops it afterwards."""
    return _new_database


@pytest.fixture
def server_url() -> Callable[[str], str]:
    """Give what gives the URL of a database on the server of an engine, which is there."""

    async def reach(engine: str) -> str:
        async with _new_database(engine):
            return _SERVERS[engine][1]

    return lambda engine: asyncio.run(reach(engine))
