"""What happens to a plugin's tables before it starts."""

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from nexus.data.database import Database
from nexus.data.migrations.operations import upgrade
from nexus.data.migrations.revisions import has_migrations
from nexus.data.migrations.taking_over import take_over
from nexus.errors import MigrationsMissing

if TYPE_CHECKING:
    from nexus.data.models import Models

logger = logging.getLogger(__name__)

PRODUCTION = "production"

_looked_at: dict[tuple[str, str], bytes] = {}
"""By database and plugin, the state of the files that was compared with the tables last; to compare
takes longer than most reloads."""


async def prepare_models(
    database: Database,
    plugin: str,
    folder: Path,
    models: "Models | None",
    *,
    environment: str,
) -> None:
    """Bring the tables of a plugin to what its code needs.

    Its migrations run, if it has any. A plugin with models and without migrations gets its tables
    as they are in the models, unless this is production.

    Args:
        database: The application's database.
        plugin: The plugin's name.
        folder: Its folder.
        models: Its models, if it has any.
        environment: `development` or `production`.

    Raises:
        MigrationsInvalid: The files of its migrations cannot be used.
        MigrationFailed: One of them failed.
        DatabaseAhead: A newer version of the plugin has changed the tables.
        TablesDiffer: Tables that were made in place are not as the models are, and the migrations
            would make them once more.
        MigrationsMissing: It has models and no migrations, and this is production.
        ModelsInvalid: The database does not take a table.
        DatabaseUnavailable: The database cannot be reached.
    """
    if has_migrations(folder):
        if models is not None and environment != PRODUCTION:
            await take_over(database, plugin, folder, models)
        await upgrade(database, plugin, folder, models)
        if models is not None and environment != PRODUCTION:
            await _warn_of_drift(database, plugin, folder, models)
        return
    if models is None or not models.tables:
        return
    if environment == PRODUCTION:
        raise MigrationsMissing(plugin=plugin, tables=list(models.tables))
    from nexus.data.migrations.creation import create_in_place

    await create_in_place(database, models)


async def _warn_of_drift(database: Database, plugin: str, folder: Path, models: "Models") -> None:
    """Warn of models that no migration leads to, once for each state of the plugin's files."""
    files = sorted((*folder.glob("schemas/**/*.py"), *folder.glob("migrations/**/*.py")))
    state = hashlib.sha256(b"".join(each.read_bytes() for each in files)).digest()
    if _looked_at.get((database.location, plugin)) == state:
        return
    from nexus.data.migrations.differences import drift

    differences = await drift(database, models)
    _looked_at[database.location, plugin] = state
    if differences:
        logger.warning(
            "Models differ from what the migrations lead to; write one with 'nexus db revision'",
            extra={"plugin": plugin, "differences": differences},
        )
