import asyncio
import gc
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nexus.data import SqliteDatabase, SqliteFile, SqlKeyValueStore
from nexus.data.engines.sqlite.file import SCHEMA_VERSION
from nexus.errors import DatabaseClosed, DatabaseUnavailable, UniqueViolation

ADD = "INSERT INTO key_value VALUES ('test', ?, '1')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "nexus.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(SqliteFile(path=path, busy_timeout=0.1)) as opened:
        yield opened


async def keys(database: SqliteDatabase) -> list[str]:
    def scan(connection: sqlite3.Connection) -> list[str]:
        return [key for (key,) in connection.execute("SELECT key FROM key_value ORDER BY key")]

    return await database.read(scan)


class Gate:
    """Holds the writing thread until it is opened, so that what follows queues up."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._open = threading.Event()
        self._job = asyncio.ensure_future(database.write(lambda _: self._open.wait()))

    async def open(self) -> None:
        self._open.set()
        await self._job


async def test_callers_at_the_same_time_share_a_commit(database: SqliteDatabase) -> None:
    gate = Gate(database)
    before = database.figures()
    writes = [asyncio.ensure_future(database.execute(ADD, (f"k{n}",))) for n in range(50)]
    assert database.figures()["queued_writes"] >= 50
    await gate.open()

    assert await asyncio.gather(*writes) == [1] * 50
    after = database.figures()
    assert after["writes"] - before["writes"] == 51
    assert after["commits"] - before["commits"] <= 2


async def test_what_failed_is_not_counted_as_committed(database: SqliteDatabase) -> None:
    await database.execute(ADD, ("taken",))
    before = database.figures()["commits"]
    with pytest.raises(UniqueViolation):
        await database.execute(ADD, ("taken",))
    gate = Gate(database)
    writes = [asyncio.ensure_future(database.execute(ADD, ("taken",))) for _ in range(3)]
    await gate.open()
    await asyncio.gather(*writes, return_exceptions=True)
    assert database.figures()["commits"] - before == 1  # the gate's


async def test_a_failing_write_fails_its_own_caller_only(database: SqliteDatabase) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute(ADD, ("half",))
        raise LookupError("no")

    gate = Gate(database)
    writes: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(awaitable)
        for awaitable in (
            database.execute(ADD, ("a",)),
            database.execute(ADD, ("a",)),
            database.write(half),
            database.execute("no such statement"),
            database.execute(ADD, ("b",)),
        )
    ]
    await gate.open()
    answers = await asyncio.gather(*writes, return_exceptions=True)

    assert answers[0] == 1
    assert isinstance(answers[1], UniqueViolation)
    assert isinstance(answers[2], LookupError)
    assert isinstance(answers[3], sqlite3.OperationalError)
    assert answers[4] == 1
    assert await keys(database) == ["a", "b"]
    assert database.figures()["failed_writes"] == 3


async def test_a_lost_transaction_is_repeated_one_by_one(database: SqliteDatabase) -> None:
    def lose(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("as a full disk would")

    gate = Gate(database)
    first = asyncio.ensure_future(database.execute(ADD, ("a",)))
    second = asyncio.ensure_future(database.write(lose))
    third = asyncio.ensure_future(database.execute(ADD, ("b",)))
    await gate.open()

    assert await first == 1
    with pytest.raises(sqlite3.OperationalError):
        await second
    assert await third == 1
    assert await keys(database) == ["a", "b"]


async def test_a_function_alone_is_committed_whole_or_not_at_all(
    database: SqliteDatabase,
) -> None:
    def both(connection: sqlite3.Connection) -> str:
        connection.execute(ADD, ("a",))
        connection.execute(ADD, ("b",))
        return "done"

    assert await database.write(both) == "done"
    with pytest.raises(UniqueViolation):
        await database.write(lambda c: [c.execute(ADD, ("c",)), c.execute(ADD, ("a",))])
    assert await keys(database) == ["a", "b"]


async def test_a_reader_sees_every_write_that_was_awaited(database: SqliteDatabase) -> None:
    store = SqlKeyValueStore(database)
    for number in range(50):
        await store.set("one", "key", number)
        assert await store.get("one", "key") == number


async def test_a_reading_function_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        await database.read(lambda connection: connection.execute(ADD, ("a",)))


async def test_a_cancelled_caller_disturbs_nobody(database: SqliteDatabase) -> None:
    gate = Gate(database)
    gone = asyncio.ensure_future(database.execute(ADD, ("a",)))
    stays = asyncio.ensure_future(database.execute(ADD, ("b",)))
    gone.cancel()
    await gate.open()

    assert await stays == 1


async def test_close_finishes_what_is_queued_and_refuses_what_comes_later(path: Path) -> None:
    database = SqliteDatabase(SqliteFile(path=path))
    await database.open()
    threads = threading.active_count()
    gate = Gate(database)
    writes = [asyncio.ensure_future(database.execute(ADD, (f"k{n}",))) for n in range(10)]
    closing = asyncio.ensure_future(database.close())
    await gate.open()
    await closing

    assert await asyncio.gather(*writes) == [1] * 10
    assert threading.active_count() == threads - 3
    for call in (
        lambda: database.execute(ADD, ("x",)),
        lambda: database.fetch_one("SELECT 1"),
        database.check,
        lambda: database.backup(path.with_name("b.db")),
    ):
        with pytest.raises(DatabaseClosed):
            await call()
    await database.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM key_value").fetchone() == (10,)
    connection.close()
    assert not path.with_name("nexus.db-wal").exists()


async def test_before_open_it_refuses(path: Path) -> None:
    database = SqliteDatabase(SqliteFile(path=path))

    with pytest.raises(DatabaseClosed):
        await database.fetch_one("SELECT 1")
    await database.close()


def test_a_forgotten_close_leaves_nobody_hanging(path: Path) -> None:
    async def forget() -> None:
        database = SqliteDatabase(SqliteFile(path=path))
        await database.open()
        await database.execute(ADD, ("a",))

    asyncio.run(forget())
    gc.collect()


async def test_the_file_is_its_owners_only(database: SqliteDatabase) -> None:
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    await database.execute(ADD, ("a",))
    wal = database.path.with_name("nexus.db-wal")
    assert stat.S_IMODE(wal.stat().st_mode) == 0o600


async def test_a_check_takes_time_and_writes(database: SqliteDatabase) -> None:
    writes = database.figures()["writes"]

    assert await database.check() > 0.0
    assert database.figures()["writes"] == writes + 1
    assert database.figures()["file_bytes"] > 0


async def test_several_openers_of_a_new_file_agree(path: Path) -> None:
    databases = [SqliteDatabase(SqliteFile(path=path)) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    try:
        await asyncio.gather(*(d.execute(ADD, (f"k{n}",)) for n, d in enumerate(databases)))
        assert len(await keys(databases[0])) == 4
    finally:
        for database in databases:
            await database.close()


async def test_another_process_lock_is_named_and_passes(database: SqliteDatabase) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            await database.execute(ADD, ("a",))
        with pytest.raises(DatabaseUnavailable, match="locked"):
            await database.check()
        other.execute("ROLLBACK")
        assert await database.execute(ADD, ("a",)) == 1
    finally:
        other.close()


async def test_a_full_disk_is_named_and_passes(database: SqliteDatabase) -> None:
    def limit(pages: int) -> Any:
        return database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchall())

    await limit(1)
    big = "x" * 100_000
    add = "INSERT INTO key_value VALUES ('test', ?, ?)"
    with pytest.raises(DatabaseUnavailable, match="disk is full"):
        await database.execute(add, ("a", big))
    await limit(1_000_000)
    assert await database.execute(add, ("a", big)) == 1


async def test_a_file_that_was_taken_away_is_no_place_to_write(database: SqliteDatabase) -> None:
    await database.execute(ADD, ("a",))
    moved = database.path.with_name("moved.db")
    os.rename(database.path, moved)  # noqa: PTH104  nothing blocks here

    with pytest.raises(DatabaseUnavailable, match="removed"):
        await database.execute(ADD, ("b",))
    with pytest.raises(DatabaseUnavailable, match="removed"):
        await database.fetch_one("SELECT 1")

    os.rename(moved, database.path)  # noqa: PTH104  nothing blocks here
    assert await database.execute(ADD, ("c",)) == 1
    assert await keys(database) == ["a", "c"]


async def test_a_file_that_was_put_in_its_place_is_the_one_in_use(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    await database.execute(ADD, ("old",))
    async with SqliteDatabase(SqliteFile(path=tmp_path / "other.db")) as other:
        await other.execute(ADD, ("new",))
    for suffix in ("-wal", "-shm"):
        database.path.with_name(f"nexus.db{suffix}").unlink()
    os.replace(tmp_path / "other.db", database.path)  # noqa: PTH105  nothing blocks here

    assert await keys(database) == ["new"]
    assert await database.execute(ADD, ("newer",)) == 1
    assert await keys(database) == ["new", "newer"]


@pytest.mark.parametrize(
    "content", [b"no database at all, just text " * 10, b"SQLite format 3\0" + b"\xff" * 200]
)
async def test_a_damaged_file_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(DatabaseUnavailable) as caught:
        await SqliteDatabase(SqliteFile(path=path)).open()

    assert str(path) in str(caught.value)
    assert "nexus restore" in str(caught.value)
    assert path.read_bytes() == content


def make(path: Path, *statements: str) -> None:
    path.parent.mkdir(exist_ok=True)
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def test_another_applications_database_is_refused_and_kept(path: Path) -> None:
    make(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()

    with pytest.raises(DatabaseUnavailable, match="another application"):
        await SqliteDatabase(SqliteFile(path=path)).open()

    assert path.read_bytes() == before


async def test_a_newer_database_is_refused(path: Path) -> None:
    await SqliteDatabase(SqliteFile(path=path)).open()
    make(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")

    with pytest.raises(DatabaseUnavailable, match="newer Nexus"):
        await SqliteDatabase(SqliteFile(path=path)).open()


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "nexus.db"

    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        await SqliteDatabase(SqliteFile(path=path)).open()


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        await SqliteDatabase(SqliteFile(path=tmp_path)).open()


async def test_full_synchronous_is_passed_on(path: Path) -> None:
    async with SqliteDatabase(SqliteFile(path=path, synchronous="full")) as database:
        level = await database.write(lambda c: c.execute("PRAGMA synchronous").fetchone())

    assert level == (2,)
