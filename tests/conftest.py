"""What tests of every kind share: databases on the servers, a browser, and the processors.

`NEXUS_TEST_POSTGRESQL` and `NEXUS_TEST_MARIADB` name other servers. A server that is missing skips
its tests by name, or fails them where `NEXUS_TEST_REQUIRE_SERVERS` is 1.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import pytest
from tests.browser import browser, browser_page  # noqa: F401 # fixtures of every folder
from typing_extensions import override
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has none

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

_LONG: Final = "tests/acceptance/events/"
"""Where a single test may take longer than most files."""
_EARLY: Final = (_LONG, "tests/acceptance/", "tests/integration/")

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


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]  # without types, as above
    """Gives a worker one file after another, in the order of collection, and long tests singly."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(_LONG) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst | None:
    """Distribute files so that no worker is left with a long one when the others have ended."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # it takes the files with few tests for the short ones
    return LongestFirst(config, log)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Have more workers than processors: many tests wait for a server or another process."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several workers share the tests, begin with the files that take long."""
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(item.path for item in items)

    def expense(item: pytest.Item) -> tuple[int, int]:
        early = (at for at, folder in enumerate(_EARLY) if item.nodeid.startswith(folder))
        return next(early, len(_EARLY)), -sizes[item.path]

    items.sort(key=expense)
