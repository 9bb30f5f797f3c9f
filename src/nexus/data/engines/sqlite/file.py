"""A Nexus database as a file: who may open it, how a connection is set up, what errors mean.

A connection runs in WAL mode, where readers and the writer do not wait for each other, unless
several processes write and that could lose something (see `journal`). With
`synchronous=NORMAL` a commit reaches the operating system before it is acknowledged, so a killed
process loses nothing; a power failure may take the last commits, never the file's consistency.
`FULL` waits for the disk at each commit and survives that too, at a third of the speed.

`application_id` tells a Nexus database from a foreign file, and `user_version` holds the version
of the tables, so that neither a wrong path nor an older release can damage anything.
"""

import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from nexus.data.engines.sqlite.functions import add_functions
from nexus.data.engines.sqlite.journal import journal_mode, linked_version
from nexus.errors import DatabaseUnavailable, NexusError, UniqueViolation

APPLICATION_ID: Final = 0x4E585553  # "NXUS"
SCHEMA_VERSION: Final = 1

_SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS key_value (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        value NOT NULL,
        PRIMARY KEY (namespace, key)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE IF NOT EXISTS heartbeat (id INTEGER PRIMARY KEY CHECK (id = 1), beats INTEGER)",
    "INSERT OR IGNORE INTO heartbeat VALUES (1, 0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_RESTORE: Final = "Restore a backup with 'nexus restore FILE'."
_ACCESS: Final = "Check that the user of this process may write the file and its folder."
_PROBLEMS: Final = {
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space; nothing needs a restart."),
    sqlite3.SQLITE_BUSY: (
        "another process keeps it locked",
        "Find the process that uses the file ('fuser FILE'); nothing needs a restart.",
    ),
    sqlite3.SQLITE_LOCKED: ("another connection keeps it locked", "Try again."),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", _RESTORE),
    sqlite3.SQLITE_NOTADB: ("the file is not an SQLite database", _RESTORE),
    sqlite3.SQLITE_READONLY: ("the file cannot be written", _ACCESS),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", _ACCESS),
    sqlite3.SQLITE_PERM: ("access was refused", _ACCESS),
    sqlite3.SQLITE_INTERRUPT: (
        "a statement took longer than it may and was stopped",
        "Give it less to do or an index, or raise database.statement_timeout.",
    ),
    sqlite3.SQLITE_IOERR: ("reading or writing failed", "Check the disk and the system's log."),
}
LOST: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})
"""Primary result codes after which a connection is not to be trusted any more."""

_NOT_UNIQUE: Final = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_ROWID,
    }
)


def primary_code(error: BaseException) -> int:
    """Give SQLite's primary result code of an error, 0 for an error that has none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def translated(path: Path, error: Exception) -> Exception:
    """Give `DatabaseUnavailable` for a trouble with the file, any other error as it is."""
    known = _PROBLEMS.get(primary_code(error))
    if known is None:
        return error
    problem, advice = known
    unavailable = DatabaseUnavailable(path=str(path), problem=f"{problem} ({error})", advice=advice)
    unavailable.__cause__ = error
    return unavailable


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the platform's own tables in an empty database."""
    for statement in _SCHEMA:
        connection.execute(statement)


def refused(error: Exception) -> Exception:
    """Give `UniqueViolation` where a unique index refused a row, any other error as it is.

    Its `constraint` is the index's columns as SQLite tells them: `table.column, table.column`.
    """
    if getattr(error, "sqlite_errorcode", 0) not in _NOT_UNIQUE:
        return error
    violation = UniqueViolation(constraint=str(error).partition(": ")[2])
    violation.__cause__ = error
    return violation


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFile:
    """Where a database is and how connections to it are set up.

    Attributes:
        path: The file, absolute.
        synchronous: `normal` survives a killed process, `full` a power failure too.
        busy_timeout: Seconds to wait for another process's lock.
        shared: Whether several processes may write.
    """

    path: Path
    synchronous: Literal["normal", "full"] = "normal"
    busy_timeout: float = 5.0
    shared: bool = False

    def create(self) -> None:
        """Make the file, readable by its owner only, and its tables where they are missing.

        Raises:
            DatabaseUnavailable: The file cannot be made, or is no Nexus database of this version.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise DatabaseUnavailable(
                path=str(self.path), problem=f"the file cannot be made ({error})", advice=_ACCESS
            ) from error
        deadline = time.monotonic() + self.busy_timeout
        while True:
            try:
                return self._create_tables()
            except sqlite3.Error as error:
                # Turning WAL on does not wait for another process that is doing just that.
                busy = primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not busy or time.monotonic() > deadline:
                    raise translated(self.path, error) from error
            time.sleep(0.02)

    def connect(self, *, query_only: bool = False) -> sqlite3.Connection:
        """Open a connection for the calling thread to a file that exists.

        Raises:
            DatabaseUnavailable: The file is missing or cannot be used.
        """
        try:
            connection = self._open()
            try:
                self._check_identity(connection)
                connection.execute(f"PRAGMA synchronous = {self.synchronous}")
                connection.execute("PRAGMA foreign_keys = ON")  # as every other database has it
                if query_only:
                    connection.execute("PRAGMA query_only = ON")
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise translated(self.path, error) from error
        return connection

    def identity(self) -> tuple[int, int]:
        """Give device and inode of the file, which change when it is replaced.

        Raises:
            DatabaseUnavailable: There is no such file.
        """
        try:
            status = os.stat(self.path)  # noqa: PTH116  half the time of Path.stat, a write each
        except OSError as error:
            raise DatabaseUnavailable(
                path=str(self.path),
                problem="the file was removed or cannot be reached",
                advice="Put it back, or restart the application to begin with an empty one.",
            ) from error
        return status.st_dev, status.st_ino

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=self.busy_timeout,
            isolation_level=None,
            cached_statements=256,
        )
        add_functions(connection)
        return connection

    def _create_tables(self) -> None:
        connection = self._open()
        try:
            if not self._is_blank(connection):
                self._check_identity(connection)
            wanted = journal_mode(shared=self.shared, version=linked_version())
            mode = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
            if mode != wanted:
                raise self._unusable(
                    f"its file system does not support {wanted.upper()} (journal mode {mode})",
                    "Use a local disk for the data folder.",
                )
            connection.execute("BEGIN IMMEDIATE")
            if self._is_blank(connection):
                create_tables(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()

    @staticmethod
    def _is_blank(connection: sqlite3.Connection) -> bool:
        [(application,)] = connection.execute("PRAGMA application_id")
        [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
        return (application, tables) == (0, 0)

    def _check_identity(self, connection: sqlite3.Connection) -> None:
        [(application,)] = connection.execute("PRAGMA application_id")
        [(version,)] = connection.execute("PRAGMA user_version")
        if application != APPLICATION_ID:
            raise self._unusable(
                "the file is a database of another application",
                "Give database.url the path of a Nexus database, or of a file that is not there.",
            )
        if version > SCHEMA_VERSION:
            raise self._unusable(
                f"a newer Nexus wrote it (version {version}, this one reads {SCHEMA_VERSION})",
                "Install that version, or restore a backup made before the upgrade.",
            )

    def _unusable(self, problem: str, advice: str) -> NexusError:
        return DatabaseUnavailable(path=str(self.path), problem=problem, advice=advice)
