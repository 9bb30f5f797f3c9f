import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nexus.data import SqliteDatabase, SqliteFile, SqlKeyValueStore, restore_database
from nexus.errors import BackupRefused, DatabaseUnavailable


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(SqliteFile(path=tmp_path / "nexus.db")) as opened:
        yield opened


async def values(path: Path) -> dict[str, object]:
    async with SqliteDatabase(SqliteFile(path=path)) as database:
        return await SqlKeyValueStore(database).items("one")


async def test_a_backup_is_one_complete_private_file(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    store = SqlKeyValueStore(database)
    await store.set("one", "key", "value")
    target = tmp_path / "out" / "backup.db"
    target.parent.mkdir()
    steps: list[tuple[int, int]] = []

    await database.backup(target, progress=lambda done, total: steps.append((done, total)))

    assert [path.name for path in target.parent.iterdir()] == ["backup.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert steps
    assert steps[-1][0] == steps[-1][1] > 0
    assert await values(target) == {"key": "value"}


async def test_a_backup_is_consistent_while_the_application_writes(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    store = SqlKeyValueStore(database)
    for number in range(150):
        await store.set("bulk", str(number), "x" * 100_000)
    await store.update("one", {"left": 0, "right": 0})
    steps: list[tuple[int, int]] = []
    target = tmp_path / "backup.db"
    backup = asyncio.ensure_future(
        database.backup(target, progress=lambda done, total: steps.append((done, total)))
    )
    number = 0
    while not backup.done():
        number += 1
        await store.update("one", {"left": number, "right": number})
    await backup

    assert number > 0
    assert len(steps) > 2
    assert steps == sorted(steps)  # it never starts over
    assert len({total for _, total in steps}) == 1
    saved = await values(target)
    assert saved["left"] == saved["right"]


async def test_a_backup_never_replaces_a_file_unasked(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    target.write_text("precious")

    with pytest.raises(BackupRefused, match="exists"):
        await database.backup(target)
    assert target.read_text() == "precious"

    await database.backup(target, replace=True)
    assert await values(target) == {}


async def test_a_backup_into_nowhere_is_refused(database: SqliteDatabase, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("missing", "file"):
        with pytest.raises(BackupRefused, match="cannot be written"):
            await database.backup(tmp_path / folder / "backup.db")


async def test_a_cancelled_backup_leaves_nothing(database: SqliteDatabase, tmp_path: Path) -> None:
    store = SqlKeyValueStore(database)
    for number in range(80):
        await store.set("bulk", str(number), "x" * 100_000)
    under_way = asyncio.Event()
    target = tmp_path / "out" / "backup.db"
    target.parent.mkdir()
    backup = asyncio.ensure_future(
        database.backup(target, progress=lambda _done, _total: under_way.set())
    )
    await under_way.wait()
    backup.cancel()
    with pytest.raises(asyncio.CancelledError):
        await backup

    assert [path.name for path in target.parent.iterdir() if path != target] == []


async def prepare(tmp_path: Path) -> tuple[Path, Path]:
    path, backup = tmp_path / "nexus.db", tmp_path / "backup.db"
    async with SqliteDatabase(SqliteFile(path=path)) as database:
        store = SqlKeyValueStore(database)
        await store.set("one", "key", "old")
        await database.backup(backup)
        await store.set("one", "key", "new")
    return path, backup


async def test_a_restore_brings_the_backup_and_keeps_what_was_there(tmp_path: Path) -> None:
    path, backup = await prepare(tmp_path)

    kept = restore_database(backup, path)

    assert kept is not None
    assert kept.parent == path.parent
    assert await values(path) == {"key": "old"}
    assert await values(kept) == {"key": "new"}
    assert await values(backup) == {"key": "old"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_restore_takes_a_log_left_by_a_crash_out_of_the_way(tmp_path: Path) -> None:
    path, backup = await prepare(tmp_path)
    path.write_bytes(b"damaged!" * 4096)
    log = tmp_path / "nexus.db-wal"
    log.write_bytes(b"stale")

    restore_database(backup, path)

    assert not log.exists()
    assert await values(path) == {"key": "old"}


async def test_a_restore_keeps_a_log_that_nothing_can_read(tmp_path: Path) -> None:
    path, backup = await prepare(tmp_path)
    log = tmp_path / "nexus.db-wal"
    log.mkdir()

    kept = restore_database(backup, path)

    assert not log.exists()
    assert kept is not None
    assert kept.with_name(f"{kept.name}-wal").is_dir()
    assert await values(path) == {"key": "old"}


async def test_a_restore_to_an_empty_place_keeps_nothing(tmp_path: Path) -> None:
    _, backup = await prepare(tmp_path)
    target = tmp_path / "elsewhere" / "nexus.db"

    assert restore_database(backup, target) is None
    assert await values(target) == {"key": "old"}


async def test_a_restore_under_a_running_application_is_refused(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    store = SqlKeyValueStore(database)
    await store.set("one", "key", "live")
    backup = tmp_path / "backup.db"
    await database.backup(backup)
    await store.set("one", "key", "later")

    with pytest.raises(DatabaseUnavailable, match="Stop the application"):
        restore_database(backup, database.path)

    assert await store.get("one", "key") == "later"
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".db") == [
        "backup.db",
        "nexus.db",
    ]


async def test_a_restore_to_where_nothing_can_be_is_refused(tmp_path: Path) -> None:
    _, backup = await prepare(tmp_path)
    (tmp_path / "file").write_text("")

    with pytest.raises(BackupRefused, match="cannot be replaced"):
        restore_database(backup, tmp_path / "file" / "nexus.db")


async def test_a_damaged_or_foreign_backup_is_refused_before_anything_changes(
    tmp_path: Path,
) -> None:
    path, backup = await prepare(tmp_path)
    data = bytearray(backup.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(data)
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    empty = tmp_path / "empty.db"
    empty.write_bytes(b"")

    for source in (damaged, foreign, empty, tmp_path / "missing.db", tmp_path):
        with pytest.raises(BackupRefused, match="nothing was changed"):
            restore_database(source, path)

    assert await values(path) == {"key": "new"}
    assert not (tmp_path / "missing.db").exists()
