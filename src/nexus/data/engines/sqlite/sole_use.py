"""One process at a time uses a database file.

SQLite before 3.51.3 can lose committed writes in WAL mode when several processes write, so a lock
lies beside the file, wherever an application is started from and whichever server serves it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nexus.errors import DatabaseInUse, DatabaseUnavailable

_LONGEST_ID: Final = 20


@contextmanager
def sole_use(database: Path) -> Iterator[int]:
    """Hold a database's lock, `<database>.lock`; the file stays, for others may wait to open it.

    The system lets go of it when the process ends, however it does.

    Args:
        database: The database file; neither it nor its folder needs to exist.

    Yields:
        The handle of the lock: a process that inherits it holds the lock as well.

    Raises:
        DatabaseInUse: Somebody else holds it, in this process or in another one.
        DatabaseUnavailable: The lock cannot be made.
    """
    handle = _open(database)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(path=str(database), pid=_holder(handle)) from None
        except OSError as error:
            raise _unavailable(database, error) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _open(database: Path) -> int:
    try:
        real = database.resolve()  # by whatever name it is reached, it is one database
        real.parent.mkdir(parents=True, exist_ok=True)
        path = real.with_name(f"{real.name}.lock")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
        raise _unavailable(database, error) from error


def _holder(handle: int) -> int | None:
    text = os.pread(handle, _LONGEST_ID, 0)
    return int(text) if text.isdigit() else None


def _unavailable(database: Path, error: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        path=str(database),
        problem=f"its lock file cannot be made ({error})",
        advice="Check that its folder is one, who owns it, and the free space.",
    )
