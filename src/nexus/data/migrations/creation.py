"""Makes the tables of models without migrations, while developing."""

import logging

from sqlalchemy.exc import SQLAlchemyError

from nexus.data.database import Database
from nexus.data.migrations.alone import alone
from nexus.data.migrations.differences import drift
from nexus.data.migrations.position import tables_of
from nexus.data.models import Models
from nexus.errors import ModelsInvalid

logger = logging.getLogger(__name__)


async def create_in_place(database: Database, models: Models) -> list[str]:
    """Make the tables that are missing; those that are there are left as they are.

    Where one of those differs from its model, a warning tells how.

    Args:
        database: The database.
        models: A plugin's models.

    Returns:
        The names of the tables that were made.

    Raises:
        ModelsInvalid: The database does not take a table.
        DatabaseUnavailable: The database cannot be reached.
    """
    there = await tables_of(database, models.plugin)
    missing = [name for name in models.tables if name not in there]
    if missing:
        try:
            async with alone(database, models.plugin) as connection:
                for metadata in models.metadata:
                    await connection.run_sync(metadata.create_all)
        except SQLAlchemyError as error:
            raise ModelsInvalid(
                plugin=models.plugin,
                problem=f"their tables cannot be made on {database.engine}: {error}",
                advice="Correct the models.",
            ) from error
        database.renew()
        logger.info("Tables were made in place", extra={"plugin": models.plugin, "tables": missing})
    if len(missing) < len(models.tables):
        await _warn_of_drift(database, models)
    return missing


async def _warn_of_drift(database: Database, models: Models) -> None:
    differences = await drift(database, models)
    if differences:
        logger.warning(
            "Tables differ from their models; write a migration with 'nexus db revision', or"
            " drop them with 'nexus plugin purge' to have them made anew",
            extra={"plugin": models.plugin, "differences": differences},
        )
