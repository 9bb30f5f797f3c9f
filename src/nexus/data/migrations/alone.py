"""One at a time: workers that would migrate the same tables, and users of Alembic's globals."""

import asyncio
import hashlib
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.data.database import Database, EngineName
from nexus.data.engines.sqlite.file import primary_code
from nexus.data.migrations.foreign_keys import tables_may_move
from nexus.data.models.engine import LeaseEngine
from nexus.data.models.participant import Participant
from nexus.data.names import table_prefix
from nexus.data.transaction import open_transaction
from nexus.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

_PAUSE: Final = 0.1
_REMARK: Final = 100
"""After so many attempts it is said once that there is somebody to wait for."""

_TAKE: Final[dict[EngineName, str]] = {
    "postgresql": "SELECT pg_try_advisory_xact_lock(:key)",
    "mariadb": "SELECT GET_LOCK(SHA1(CONCAT(DATABASE(), ' nexus ', :key)), 0)",
}
_GIVE_BACK: Final[dict[EngineName, str]] = {
    "mariadb": "SELECT RELEASE_LOCK(SHA1(CONCAT(DATABASE(), ' nexus ', :key)))",
}

_alembic = threading.Lock()


@asynccontextmanager
async def alone(database: Database, plugin: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection in a transaction in which nobody else migrates the plugin's tables.

    Neither the transaction nor its statements have a time limit. Where the block raises, all of it
    is rolled back, as far as the engine can. On SQLite it is the transaction itself that keeps
    others away.

    Args:
        database: The database.
        plugin: The plugin's name.

    Raises:
        DatabaseUnavailable: The database cannot be reached.
    """
    engine = LeaseEngine(database)
    # Before the transaction, or those who wait would keep all connections from others.
    async with _alembic_globals():
        try:
            async with _patient_transaction(database, plugin) as participant:
                connection = await engine.connect(participant)
                async with _locked(connection, database.engine, plugin):
                    yield connection
                participant.has_left = True
        finally:
            await engine.close()


@asynccontextmanager
async def _alembic_globals() -> AsyncIterator[None]:
    """Have `alembic.op` and `alembic.context` for oneself, in this process.

    A migration speaks of `op`, which is the same for all threads and tasks, and waits for the
    database in between.
    """
    # Not a lock of asyncio: two applications may have an event loop each.
    while not _alembic.acquire(blocking=False):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE / 10)
    try:
        yield
    finally:
        _alembic.release()


@asynccontextmanager
async def _patient_transaction(database: Database, plugin: str) -> AsyncIterator[Participant]:
    """Begin a transaction; on SQLite wait for other processes for as long as it takes."""
    attempts = 0
    while True:
        began = False
        try:
            async with open_transaction(database, unlimited=True) as transaction:
                async with tables_may_move(transaction, plugin):
                    began = True
                    yield Participant(transaction)
                return
        except DatabaseUnavailable as error:
            if began or primary_code(error.__cause__ or error) != sqlite3.SQLITE_BUSY:
                raise
        attempts += 1
        _remark(attempts, plugin)
        await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def _locked(
    connection: AsyncConnection, engine: EngineName, plugin: str
) -> AsyncIterator[None]:
    take = _TAKE.get(engine)
    if take is None:
        yield
        return
    attempts = 0
    while not await connection.scalar(text(take), {"key": _key(engine, plugin)}):
        attempts += 1
        _remark(attempts, plugin)
        await asyncio.sleep(_PAUSE)
    try:
        yield
    finally:
        give_back = _GIVE_BACK.get(engine)
        if give_back is not None and not connection.invalidated:
            await connection.execute(text(give_back), {"key": _key(engine, plugin)})


def _key(engine: EngineName, plugin: str) -> str | int:
    prefix = table_prefix(plugin)
    if engine == "mariadb":
        return prefix
    digest = hashlib.blake2b(f"nexus {prefix}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _remark(attempts: int, plugin: str) -> None:
    if attempts == _REMARK:
        logger.info("Waiting for another process that migrates", extra={"plugin": plugin})
