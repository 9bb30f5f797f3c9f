"""Takes the tables of a plugin up and down the chain of its migrations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.data.database import Database
from nexus.data.migrations.position import reached, tables_of
from nexus.data.migrations.revisions import Revision, Revisions, read_revisions
from nexus.errors import DatabaseAhead, RevisionNotReached, RevisionUnknown

if TYPE_CHECKING:
    from nexus.data.models import Models

BASE: Final = "base"
"""The state before the first migration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where the tables of a plugin are.

    Attributes:
        current: The last migration that has run; None before the first one.
        head: The last one that there is.
        pending: Those that have not run, in their order.
        unknown: Those that have run, and that the plugin's files do not have.
    """

    current: str | None
    head: str | None
    pending: tuple[Revision, ...]
    unknown: tuple[str, ...]


async def status(database: Database, plugin: str, folder: Path) -> Status:
    """Tell where the tables of a plugin are.

    Raises:
        MigrationsInvalid: The files of its migrations cannot be used.
        DatabaseUnavailable: The database cannot be reached.
    """
    return _status(read_revisions(plugin, folder), await _reached(database, plugin))


async def upgrade(
    database: Database, plugin: str, folder: Path, models: "Models | None" = None
) -> Sequence[Revision]:
    """Run the migrations of a plugin that have not run yet, and give them.

    Either all of them run or, where the engine can roll back changes of tables, none.

    Args:
        database: The database.
        plugin: The plugin's name.
        folder: Its folder.
        models: Its models; they give the naming convention for constraints.

    Raises:
        MigrationsInvalid: The files cannot be used.
        DatabaseAhead: The database is where the files do not lead.
        MigrationFailed: One of them failed.
        DatabaseUnavailable: The database cannot be reached.
    """
    revisions = read_revisions(plugin, folder)
    found = _status(revisions, await _reached(database, plugin))
    if found.unknown:
        raise DatabaseAhead(plugin=plugin, revision=found.unknown[0], head=found.head)
    if not found.pending:
        return ()
    from nexus.data.migrations.alone import alone
    from nexus.data.migrations.execution import Execution

    execution = Execution(plugin, folder, revisions, models, database.engine)
    async with alone(database, plugin) as connection:
        await connection.run_sync(execution.upgrade)
    database.renew()
    return execution.done


async def downgrade(
    database: Database, plugin: str, folder: Path, target: str, models: "Models | None" = None
) -> Sequence[Revision]:
    """Take back the migrations of a plugin that ran after another one, and give them.

    Args:
        database: The database.
        plugin: The plugin's name.
        folder: Its folder.
        target: The revision to go back to: `base` for the state before the first one, `-1` for
            the one before the last.
        models: As for `upgrade`.

    Raises:
        RevisionUnknown: There is no such revision.
        RevisionNotReached: It has not run, or fewer have run than are to be taken back.
        MigrationsInvalid: The files cannot be used.
        DatabaseAhead: The database is where the files do not lead.
        MigrationFailed: One of them failed.
    """
    revisions = read_revisions(plugin, folder)
    going = await to_take_back(database, plugin, revisions, target)
    if not going:
        return ()
    from nexus.data.migrations.alone import alone
    from nexus.data.migrations.execution import Execution

    execution = Execution(plugin, folder, revisions, models, database.engine)
    async with alone(database, plugin) as connection:
        await connection.run_sync(execution.downgrade, going)
    database.renew()
    return execution.done


async def stamp(database: Database, plugin: str, folder: Path) -> None:
    """Note that the tables are where the migrations lead to, without running any of them.

    Raises:
        MigrationsInvalid: The files cannot be used.
        DatabaseUnavailable: The database cannot be reached.
    """
    from nexus.data.migrations.alone import alone
    from nexus.data.migrations.execution import Execution

    execution = Execution(plugin, folder, read_revisions(plugin, folder), None, database.engine)
    async with alone(database, plugin) as connection:
        await connection.run_sync(execution.stamp)


async def to_take_back(
    database: Database, plugin: str, revisions: Revisions, target: str
) -> list[Revision]:
    """Give the migrations that a downgrade takes back, the last one first.

    Raises:
        RevisionUnknown: There is no such target.
        RevisionNotReached: It has not run, or fewer have run than are to be taken back.
        DatabaseAhead: The database is where the files do not lead.
    """
    found = _status(revisions, await _reached(database, plugin))
    if found.unknown:
        raise DatabaseAhead(plugin=plugin, revision=found.unknown[0], head=found.head)
    done = [each for each in revisions if each not in found.pending]
    if target == BASE:
        return done[::-1]
    if target.startswith("-") and target[1:].isdigit():
        wanted = int(target[1:])
        if wanted > len(done):
            raise RevisionNotReached(plugin=plugin, revision=target, done=_names(done))
        return done[::-1][:wanted]
    if target not in revisions:
        raise RevisionUnknown(plugin=plugin, revision=target, known=[BASE, *_names(revisions)])
    if target not in _names(done):
        raise RevisionNotReached(plugin=plugin, revision=target, done=_names(done))
    stays = revisions.done([target])
    return [each for each in done[::-1] if each not in stays]


def _names(revisions: Iterable[Revision]) -> list[str]:
    return [each.name for each in revisions]


async def _reached(database: Database, plugin: str) -> tuple[str, ...]:
    return await reached(database, plugin, await tables_of(database, plugin))


def _status(revisions: Revisions, at: Sequence[str]) -> Status:
    unknown = tuple(name for name in at if name not in revisions)
    pending = () if unknown else tuple(revisions.pending(at))
    return Status(
        current=", ".join(at) or None, head=revisions.head, pending=pending, unknown=unknown
    )
