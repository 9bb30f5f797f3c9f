"""How processes on one database notice each other: PostgreSQL tells, the others are asked."""

import asyncio
from typing import Any

import pytest

from nexus.events.durable import watch as watch_module
from nexus.events.engines.sql.channel import CHANNEL
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
OTHERS = pytest.mark.parametrize("engine", ["sqlite", "mariadb"], indirect=True)


async def listeners(database: Any) -> list[int]:
    rows = await database.fetch_all(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE $1",
        (f"LISTEN%{CHANNEL}%",),
    )
    return [row[0] for row in rows]


@pytest.fixture
def only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody look by himself."""
    monkeypatch.setattr(watch_module, "_BESIDE", 3600.0)


@POSTGRESQL
@pytest.mark.usefixtures("only_told")
async def test_postgresql_tells_what_others_append_and_declare(store, hands, until):
    a, b = await store.open(lease=3600.0), await store.open(lease=3600.0)
    database = store.database(a)

    async def both_listen() -> bool:
        return len(await listeners(database)) == 2

    await until(both_listen)
    await b.declare("mail", ["user.*"])  # which waits until the other one knows it
    assert a.wants("user.created")
    async with hands.fetching(b.stream(KEY)) as found, asyncio.timeout(20):
        await hands.append(a, 1)
        async with database.transaction():
            await hands.append(a, 2)
        while len(found) < 2:
            await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1, 2]


@POSTGRESQL
@pytest.mark.usefixtures("only_told")
async def test_a_connection_that_listened_is_made_again(store, hands, until, monkeypatch):
    monkeypatch.setattr(watch_module, "_AGAIN", 0.01)
    a, b = await store.open(lease=3600.0), await store.open(lease=3600.0)
    database = store.database(a)

    async def both_listen() -> bool:
        return len(await listeners(database)) == 2

    await until(both_listen)
    await b.declare("mail", ["user.*"])
    before = await listeners(database)
    async with hands.fetching(b.stream(KEY)) as found, asyncio.timeout(20):
        for process in before:
            await database.fetch_one("SELECT pg_terminate_backend($1)", (process,))
        await hands.append(a, 1)  # which is told to nobody, or to somebody
        await until(both_listen)
        assert not set(before) & set(await listeners(database))
        await hands.append(a, 2)
        while len(found) < 2:
            await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1, 2]


@POSTGRESQL
async def test_a_closed_log_listens_no_more(store, until):
    a, b = await store.open(), await store.open()
    database = store.database(a)

    async def both_listen() -> bool:
        return len(await listeners(database)) == 2

    async def one_listens() -> bool:
        return len(await listeners(database)) == 1

    await until(both_listen)
    await b.close()
    await until(one_listens)


@OTHERS
async def test_the_others_are_asked_less_often_while_nothing_happens(store, hands):
    a, b = await store.open(), await store.open()
    await a.declare("mail", ["user.*"])
    watch = b._keeper._watch
    async with asyncio.timeout(20):
        while watch._pause < watch_module._LONGEST:
            await asyncio.sleep(0.01)
        appending = asyncio.ensure_future(hands.append(a, 1))
        while watch._pause == watch_module._LONGEST:
            await asyncio.sleep(0.001)
        await appending


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
async def test_a_process_that_is_alone_asks_nobody(store):
    log = await store.open(alone=True)
    assert {task.get_name() for task in log._keeper._tasks} == {
        "nexus.events.report",
        "nexus.events.tidy",
    }
