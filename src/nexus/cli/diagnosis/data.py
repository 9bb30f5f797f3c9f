"""The data folder, the secret key and the database."""

import asyncio
import os
import shutil
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from nexus.cli.diagnosis.line import Line, error, ok, warning
from nexus.cli.stored import opened_database
from nexus.config import Settings
from nexus.config.secret_key import FILE_NAME, find_keys, open_to_others
from nexus.data import SqliteFile
from nexus.data.engines.sqlite.journal import linked_version, wal_is_safe
from nexus.errors import NexusError, SecretKeyUnusable

_LITTLE: Final = 512 * 1024 * 1024
_MEBIBYTE: Final = 1024 * 1024


def diagnose_data(settings: Settings) -> Sequence[Line]:
    """Look at where the data is; nothing is made or changed."""
    return [
        *_folder(settings.data_folder),
        _secret_key(settings),
        *([] if settings.database_path is None else [_sqlite(settings)]),
        asyncio.run(_database(settings)),
    ]


def _folder(folder: Path) -> list[Line]:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        return [error("data folder", f"{existing} cannot be written.", "Check who owns it.")]
    if not folder.exists():
        lines = [ok("data folder", f"{folder} is made at the first start")]
    elif not folder.is_dir():
        return [error("data folder", f"{folder} is no folder.", "Remove it, or set data_dir.")]
    elif folder.stat().st_mode & stat.S_IWOTH:
        advice = f"Run 'chmod o-w {folder}'."
        lines = [warning("data folder", f"{folder} can be written by everybody.", advice)]
    else:
        lines = [ok("data folder", str(folder))]
    free = shutil.disk_usage(existing).free
    text = f"{free / _MEBIBYTE:,.0f} MiB free"
    if free < _LITTLE:
        lines.append(warning("disk", f"only {text}.", "Free some space; writing fails without."))
    else:
        lines.append(ok("disk", text))
    return lines


def _secret_key(settings: Settings) -> Line:
    path = settings.data_folder / FILE_NAME
    is_given = settings.security.secret_key is not None
    given = f"set by {settings.sources().get('security.secret_key', '')}"
    try:
        keys = find_keys(settings.data_folder)
    except SecretKeyUnusable as trouble:
        if not is_given:
            return error("secret key", trouble.render())
        message = f"{given}; {path} {trouble.data['problem']}, so what it has encrypted is lost."
        advice = "Bring the file back from a backup, or remove it and set those secrets again."
        return warning("secret key", message, advice)
    if keys and (mode := open_to_others(settings.data_folder)):
        return warning("secret key", f"{path} has mode {mode:04o}.", f"Run 'chmod 600 {path}'.")
    if is_given:
        return ok("secret key", given)
    return _key_file(path, len(keys))


def _key_file(path: Path, keys: int) -> Line:
    if not keys:
        return ok("secret key", f"{path} is made at the first start")
    if keys > 1:
        advice = "Run 'nexus secrets rotate' again, which goes on where it ended."
        return warning("secret key", f"{path} has a key whose rotation is not finished.", advice)
    return ok("secret key", f"{path}, for its owner only")


async def _database(settings: Settings) -> Line:
    path = settings.database_path
    if path is None:
        return await _server(settings)
    if not path.exists():
        return ok("database", f"{path} is made at the first start")
    return await asyncio.to_thread(_check, path, settings.database.busy_timeout)


async def _server(settings: Settings) -> Line:
    location = settings.database_url.location
    try:
        async with opened_database(settings) as database:
            seconds = await database.check()
    except NexusError as trouble:
        return error("database", trouble.render())
    return ok("database", f"{location}, answers in {seconds * 1000:.1f} ms")


def _sqlite(settings: Settings) -> Line:
    version = linked_version()
    name = f"SQLite {'.'.join(map(str, version))}"
    if wal_is_safe(version):
        return ok("sqlite", f"{name}; several processes may share a file in WAL mode")
    if settings.database.shared and settings.database_path is not None:
        message = f"{name} can lose writes of several processes in WAL mode"
        return ok("sqlite", f"{message}, so the rollback journal is used (database.shared)")
    return ok("sqlite", f"{name}; safe in WAL mode as long as one process uses the file")


def _check(path: Path, busy_timeout: float) -> Line:
    try:
        with closing(
            SqliteFile(path=path, busy_timeout=busy_timeout).connect(query_only=True)
        ) as connection:
            [(answer,), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except NexusError as trouble:
        return error("database", trouble.render())
    except sqlite3.Error as trouble:
        return error("database", f"{path}: {trouble}.", "Restore a backup: nexus restore FILE")
    if answer != "ok":
        return error("database", f"{path}: {answer}.", "Restore a backup: nexus restore FILE")
    return ok("database", f"{path}, sound ({path.stat().st_size / _MEBIBYTE:,.1f} MiB)")
