"""Backup of a database while it runs, and taking a backup back while it does not."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from nexus.data.engines.sqlite.file import SqliteFile, primary_code, translated
from nexus.errors import BackupRefused, DatabaseUnavailable

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of pages copied and the number of pages in all."""

_PAGES_A_STEP: Final = 512


class _Cancelled(Exception):
    """The caller of a backup went away."""


async def copy_database(
    source: SqliteFile, target: Path, *, progress: Progress | None = None, replace: bool = False
) -> None:
    """Copy a database in a thread; `SqliteDatabase.backup` tells the contract."""
    loop = asyncio.get_running_loop()
    gone = threading.Event()

    def report(_status: int, remaining: int, total: int) -> None:
        if gone.is_set():
            raise _Cancelled
        if progress is not None:
            loop.call_soon_threadsafe(progress, total - remaining, total)

    copying = asyncio.ensure_future(asyncio.to_thread(_copy, source, target, report, replace))
    try:
        await asyncio.shield(copying)
    except asyncio.CancelledError:
        gone.set()
        await asyncio.wait([copying])
        if not copying.cancelled():
            copying.exception()  # it was cut off; that is no news
        raise


def _copy(
    source: SqliteFile, target: Path, report: Callable[[int, int, int], None], replace: bool
) -> None:
    target = target.absolute()
    if target.exists() and not replace:
        raise BackupRefused(
            path=str(target), problem="the file exists", advice="Choose another name."
        )
    partial = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        _write_copy(source, partial, report)
        partial.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise BackupRefused(
            path=str(target),
            problem=f"the file cannot be written ({error})",
            advice="Check the folder, its owner and the free space.",
        ) from error
    finally:
        with suppress(OSError):  # where the folder is the trouble, there is no such file
            partial.unlink()


def _write_copy(source: SqliteFile, partial: Path, report: Callable[[int, int, int], None]) -> None:
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with (
        closing(source.connect(query_only=True)) as reading,
        closing(sqlite3.connect(partial, isolation_level=None)) as writing,
    ):
        try:
            # The open read transaction holds one state of the database for all steps: writers go
            # on, and the copy neither sees them nor starts over because of them.
            reading.execute("BEGIN")
            reading.execute("SELECT beats FROM heartbeat").fetchone()
            reading.backup(writing, pages=_PAGES_A_STEP, progress=report, sleep=0)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, complete by itself
        except sqlite3.Error as error:
            if primary_code(error) == sqlite3.SQLITE_FULL:
                raise OSError(str(error)) from error
            raise translated(source.path, error) from error
    _check_backup(partial)


def restore_database(source: Path, target: Path) -> Path | None:
    """Put a backup in the place of a database that no process uses.

    The backup is checked first, and stays. The database it replaces is kept beside it under a name
    with the time.

    Args:
        source: A file that `SqliteDatabase.backup` made.
        target: The database's path; it may be missing.

    Returns:
        Where the replaced database is now, or None if there was none.

    Raises:
        BackupRefused: The backup is damaged or no Nexus database, or cannot be read.
        DatabaseUnavailable: An application still has the database open.
    """
    target = target.absolute()
    _check_backup(source)
    incoming = target.with_name(f".{target.name}.{os.getpid()}.incoming")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.unlink(missing_ok=True)
        _copy(SqliteFile(path=source.absolute()), incoming, lambda *_: None, replace=False)
        kept = _put_aside(target)
        incoming.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise BackupRefused(
            path=str(target),
            problem=f"the database cannot be replaced ({error})",
            advice="Check the folder, its owner and the free space. The backup is untouched.",
        ) from error
    finally:
        with suppress(OSError):  # where the folder is the trouble, there is no such file
            incoming.unlink()
    return kept


def _check_backup(path: Path) -> None:
    file = SqliteFile(path=path.absolute())
    try:
        with closing(file.connect(query_only=True)) as connection:
            [(answer,), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except (DatabaseUnavailable, sqlite3.Error) as error:
        # The advice for a database that is in use does not fit a backup.
        problem = error.data["problem"] if isinstance(error, DatabaseUnavailable) else error
        raise BackupRefused(
            path=str(path),
            problem=f"this is no usable backup: {problem}",
            advice="Choose another one; nothing was changed.",
        ) from error
    if answer != "ok":
        raise BackupRefused(
            path=str(path),
            problem=f"the backup is damaged ({answer})",
            advice="Choose another one; nothing was changed.",
        )


def _put_aside(target: Path) -> Path | None:
    if not target.exists():
        return None
    _close_log(target)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = target.with_name(f"{target.name}.replaced-{stamp}")
    # A log left behind would be played into the new database, so it moves first.
    for suffix in ("-wal", "-shm"):
        log = target.with_name(f"{target.name}{suffix}")
        if log.exists():
            log.replace(f"{kept}{suffix}")
    # A second name first, so that at no moment there is no database.
    os.link(target, kept)
    return kept


def _close_log(target: Path) -> None:
    """Fold the log into the file, which works only where no other process has it open."""
    try:
        with closing(sqlite3.connect(target, timeout=1.0, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.DatabaseError as error:
        if primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise DatabaseUnavailable(
                path=str(target),
                problem="a running application has it open",
                advice="Stop the application, then restore.",
            ) from error
        # A damaged database is what a restore is for; it is kept as it is.


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
