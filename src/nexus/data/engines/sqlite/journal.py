"""Which journal a database file is kept with.

SQLite 3.7.0 to 3.51.2 can lose committed writes in WAL mode when several processes write and
checkpoint at once (https://sqlite.org/wal.html, "The WAL-reset bug"); 3.51.3 mends it, as do 3.50.7
and 3.44.6 of the older lines. With one process there is no such danger.
"""

import sqlite3
from typing import Final, Literal, TypeAlias

Version: TypeAlias = tuple[int, int, int]
JournalMode: TypeAlias = Literal["wal", "delete"]

_MENDED: Final[Version] = (3, 51, 3)
_MENDED_LINES: Final[dict[tuple[int, int], int]] = {(3, 50): 7, (3, 44): 6}


def linked_version() -> Version:
    """Give the version of the SQLite library that Python is linked with."""
    return sqlite3.sqlite_version_info


def wal_is_safe(version: Version) -> bool:
    """Tell whether several processes may write in WAL mode with this version."""
    if version >= _MENDED:
        return True
    least = _MENDED_LINES.get(version[:2])
    return least is not None and version[2] >= least


def journal_mode(*, shared: bool, version: Version) -> JournalMode:
    """Choose the journal.

    Args:
        shared: Whether several processes use the file.
        version: The SQLite library's.

    Returns:
        `wal`, where readers and the writer do not wait for each other; `delete`, the rollback
        journal, where that could lose writes.
    """
    return "wal" if not shared or wal_is_safe(version) else "delete"
