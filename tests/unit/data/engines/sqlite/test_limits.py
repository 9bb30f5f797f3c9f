"""No statement keeps the database from others for good."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nexus.data import SqliteDatabase, SqliteFile
from nexus.data.database import Limits
from nexus.data.engines.sqlite import thread as database_thread
from nexus.data.transaction import open_transaction
from nexus.errors import DatabaseClosed, DatabaseUnavailable, TransactionExpired

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
FINITE = ENDLESS.replace("FROM n)", "FROM n LIMIT 3000000)")


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(path=tmp_path / "nexus.db")


@pytest.fixture
async def hasty(file: SqliteFile) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(file, Limits(statement=0.1)) as database:
        yield database


async def works(database: SqliteDatabase) -> None:
    assert await database.execute("UPDATE heartbeat SET beats = beats + 1") == 1


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_statement_in_a_transaction_is_stopped_at_its_limit(
    hasty: SqliteDatabase, *, read_only: bool
) -> None:
    async with hasty.transaction(read_only=read_only) as transaction:
        with pytest.raises(DatabaseUnavailable, match=r"took longer.*database\.statement_timeout"):
            await transaction.fetch_one(ENDLESS)
    await works(hasty)


@pytest.mark.parametrize("call", ["fetch_one", "fetch_all", "execute"])
async def test_a_statement_by_itself_is_stopped_at_its_limit(
    hasty: SqliteDatabase, call: str
) -> None:
    statement = ENDLESS
    if call == "execute":
        statement = f"UPDATE heartbeat SET beats = ({ENDLESS})"  # noqa: S608 - our own
    with pytest.raises(DatabaseUnavailable, match="took longer"):
        await getattr(hasty, call)(statement)
    await works(hasty)


async def test_what_may_take_long_is_not_stopped(hasty: SqliteDatabase) -> None:
    async with open_transaction(hasty, unlimited=True) as transaction:
        assert (await transaction.fetch_one(FINITE))[0] == 3_000_000


async def test_a_statement_does_not_outlast_its_transaction(file: SqliteFile) -> None:
    async with SqliteDatabase(file, Limits(transaction=0.1)) as database:
        with pytest.raises(TransactionExpired):
            async with database.transaction() as transaction:
                await transaction.fetch_one(ENDLESS)
        await works(database)


async def test_a_statement_that_nobody_waits_for_is_stopped(file: SqliteFile) -> None:
    async with SqliteDatabase(file) as database:

        async def run() -> None:
            async with database.transaction() as transaction:
                await transaction.fetch_one(ENDLESS)

        task = asyncio.create_task(run())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await works(database)


async def test_closing_stops_what_takes_too_long(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_thread, "_FAREWELL", 0.1)
    async with SqliteDatabase(file) as database:
        reading = asyncio.ensure_future(database.fetch_all(ENDLESS))
        await asyncio.sleep(0.05)
    with pytest.raises(DatabaseUnavailable, match="took longer"):
        await reading


async def test_a_database_whose_writer_is_busy_is_not_away(file: SqliteFile) -> None:
    async with SqliteDatabase(file) as database, database.transaction():
        assert await asyncio.create_task(database.check(), context=_elsewhere()) >= 0


async def test_a_database_that_is_not_written_in_time_is_unhealthy(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus.data.engines.sqlite.database._CHECK_SECONDS", 0.05)
    gate = threading.Event()
    async with SqliteDatabase(file) as database:
        writing = database.write(lambda _: gate.wait(10))
        with pytest.raises(DatabaseUnavailable, match="not written and read within"):
            await database.check()
        gate.set()
        assert await writing
        assert await database.check() >= 0


async def test_a_lease_that_races_the_end_leaves_no_thread(file: SqliteFile) -> None:
    for _ in range(3):
        database = SqliteDatabase(file)
        await database.open()
        leasing = asyncio.ensure_future(database.begin(read_only=True))
        await asyncio.sleep(0)
        await database.close()
        with pytest.raises(DatabaseClosed):
            await leasing
    names = [each.name for each in threading.enumerate()]
    assert not [name for name in names if name.startswith("nexus-database-lent")]


def _elsewhere() -> Any:
    import contextvars

    return contextvars.Context()
