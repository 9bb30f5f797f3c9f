"""Has migrations take over the tables that were made in place before there were any."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from nexus.data.database import Database
from nexus.data.migrations.made import tables_made
from nexus.data.migrations.operations import stamp, status
from nexus.data.migrations.position import tables_of
from nexus.errors import TablesDiffer

if TYPE_CHECKING:
    from nexus.data.models import Models

logger = logging.getLogger(__name__)


async def take_over(database: Database, plugin: str, folder: Path, models: "Models") -> None:
    """Note that tables which were made in place are what the migrations lead to, if they are.

    Args:
        database: The database.
        plugin: The plugin's name.
        folder: Its folder.
        models: Its models.

    Raises:
        TablesDiffer: They are not, and the migrations would make them once more.
        MigrationsInvalid: The files of its migrations cannot be used.
        DatabaseUnavailable: The database cannot be reached.
    """
    found = await status(database, plugin, folder)
    if found.current is not None or not found.pending:
        return
    there = await tables_of(database, plugin)
    if there.isdisjoint(models.tables):
        return
    from nexus.data.migrations.differences import drift

    differences = await drift(database, models)
    if not differences:
        await stamp(database, plugin, folder)
        logger.info(
            "Tables that were made in place are taken over by the migrations",
            extra={"plugin": plugin, "revision": found.head},
        )
        return
    made = frozenset[str]().union(*(tables_made(each.file) for each in found.pending))
    if not made.isdisjoint(there):
        raise TablesDiffer(plugin=plugin, tables=sorted(made & there), differences=differences)
