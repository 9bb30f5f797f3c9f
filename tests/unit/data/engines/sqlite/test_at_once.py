"""A small write is made on the event loop, unless it might take long: then nothing is done."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus.data.engines.sqlite import at_once
from nexus.data.engines.sqlite.at_once import WriterAtOnce
from nexus.data.engines.sqlite.database import SqliteDatabase
from nexus.data.engines.sqlite.file import SqliteFile


class Writer:
    """The writer of a file, the lock that it needs, and how often it wanted a checkpoint."""

    def __init__(self, file: SqliteFile) -> None:
        file.create()
        self.lock = threading.Lock()
        self.checkpoints = 0
        self.at_once = WriterAtOnce(file, self.lock, self._request)
        self.at_once.open()

    def _request(self) -> None:
        self.checkpoints += 1

    def beat(self) -> int | None:
        return self.at_once.write(_beat)


def _beat(connection: sqlite3.Connection) -> int:
    return connection.execute("UPDATE heartbeat SET beats = beats + 1").rowcount


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(SqliteFile(path=tmp_path / "nexus.db"))
    yield made
    made.at_once.close()


def beats(folder: Path) -> int:
    connection = sqlite3.connect(folder / "nexus.db")
    try:
        found: int = connection.execute("SELECT beats FROM heartbeat").fetchone()[0]
    finally:
        connection.close()
    return found


def test_what_was_written_is_committed(writer: Writer, tmp_path: Path) -> None:
    assert writer.beat() == 1
    assert beats(tmp_path) == 1


def test_nothing_is_done_while_the_writing_thread_is_at_work(
    writer: Writer, tmp_path: Path
) -> None:
    with writer.lock:
        assert writer.beat() is None
    assert beats(tmp_path) == 0
    assert writer.beat() == 1


def test_nothing_is_done_while_another_connection_writes(writer: Writer, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "nexus.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert writer.beat() is None
    other.execute("ROLLBACK")
    other.close()
    assert not writer.lock.locked()
    assert writer.beat() == 1


def test_after_a_slow_commit_it_rests(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "_SLOW", 0.0)
    monkeypatch.setattr(at_once, "_REST", 1e9)
    assert writer.beat() == 1
    assert writer.beat() is None


def test_what_fails_is_rolled_back_and_keeps_no_lock(writer: Writer, tmp_path: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        _beat(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        writer.at_once.write(fail)
    assert not writer.lock.locked()
    assert beats(tmp_path) == 0


def test_a_checkpoint_is_wanted_now_and_then(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "_CHECKPOINT_EVERY", 3)
    monkeypatch.setattr(at_once, "_SLOW", 1e9)  # however slow the disk is at the moment
    for _ in range(7):
        writer.beat()
    assert writer.checkpoints == 2


def test_where_a_commit_waits_for_the_disk_it_writes_nothing(tmp_path: Path) -> None:
    full = Writer(SqliteFile(path=tmp_path / "nexus.db", synchronous="full"))
    assert full.beat() is None
    full.at_once.close()


async def test_a_lent_writer_is_not_passed_by(tmp_path: Path) -> None:
    file = SqliteFile(path=tmp_path / "nexus.db")
    async with SqliteDatabase(file) as database, database.transaction() as transaction:
        await transaction.execute("UPDATE heartbeat SET beats = 7")
        assert database.write_at_once(_beat) is None
    assert beats(tmp_path) == 7
