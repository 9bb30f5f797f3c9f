"""Removes everything that a plugin has stored, so that it can start from nothing.

On SQLite and PostgreSQL that is one transaction, tables included. MariaDB commits with each table
that it removes, so tables come last there, and a purge that was cut off goes on when it is run
again.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from nexus.config import StoredValues
from nexus.config.stored import settings_namespace
from nexus.data import MISSING, SqlKeyValueStore
from nexus.data.database import Database, EngineName, Executor
from nexus.data.transaction import open_transaction
from nexus.errors import NexusError, PurgeFailed
from nexus.jobs.store import forget_jobs
from nexus.jobs.tables import make_table as make_jobs_table
from nexus.plugins.manager import NAMESPACE as WISHES
from nexus.plugins.plugin_data import data_namespace
from nexus.plugins.seeding import NAMESPACE as MARKS
from nexus.security.grants import NAMESPACE as GRANTS
from nexus.transfer.catalog import StoredObject, objects_of, quoted
from nexus.transfer.inventory import Inventory, is_mark_of, take_inventory
from nexus.transfer.told import refusals, told

_WORDS: Final[dict[str, str]] = {
    "collection": "TABLE",
    "table": "TABLE",
    "versions": "TABLE",
    "view": "VIEW",
    "sequence": "SEQUENCE",
    "type": "TYPE",
}
_ORDER: Final = ("view", "collection", "table", "versions", "sequence", "type")
"""Views use tables, and tables use sequences and types."""

_FOREIGN_KEYS: Final = (
    "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND CONSTRAINT_TYPE = 'FOREIGN KEY'"
)


async def purge_plugin(
    database: Database,
    store: SqlKeyValueStore,
    plugin: str,
    *,
    keep_wish: bool,
    values: StoredValues | None = None,
) -> Inventory:
    """Remove everything that a plugin has stored; the plugin must not run.

    Args:
        database: The application's database.
        store: The key-value store in it.
        plugin: The plugin's name.
        keep_wish: Whether an operator's wish that it should not run stays. For a plugin that is
            still installed it does, or it would start again at once.
        values: The stored settings, where somebody may keep a copy of them.

    Returns:
        What was removed.

    Raises:
        PurgeFailed: Something could not be removed; where that can be, all is as it was.
        DatabaseUnavailable: The database cannot be reached.
    """
    # Before the transaction, which MariaDB would commit: an older version may not have made it.
    await make_jobs_table(database)
    async with AsyncExitStack() as stack:
        if values is not None:
            # Before the transaction, as by all who change settings: they would wait for each other.
            await stack.enter_async_context(values.exclusive(plugin))
        try:
            async with open_transaction(database, unlimited=True) as transaction:
                inventory = await take_inventory(database, store, plugin)
                objects = await objects_of(database, database.engine, plugin)
                if database.engine != "mariadb":
                    await _drop(transaction, database.engine, objects)
                await forget_jobs(database, plugin)
                inventory = await _remove_values(store, inventory, keep_wish=keep_wish)
        except refusals(database.engine) as error:
            raise PurgeFailed(plugin=plugin, problem=told(error)) from error
        if values is not None:
            values.removed(plugin, inventory.settings)
    if database.engine == "mariadb":
        await _drop_one_by_one(database, plugin, objects)
    return inventory


async def _remove_values(
    store: SqlKeyValueStore, inventory: Inventory, *, keep_wish: bool
) -> Inventory:
    """Remove what is in the key-value store, and give what goes."""
    plugin = inventory.plugin
    await store.clear(settings_namespace(plugin))
    await store.clear(data_namespace(plugin))
    marks = await store.items(MARKS, plugin)
    gone = dict.fromkeys((key for key in marks if is_mark_of(plugin, key)), MISSING)
    if gone:
        await store.update(MARKS, gone)
    if not keep_wish:  # whatever comes under this name later is another plugin
        grants = await store.items(GRANTS, f"{plugin} ")
        await store.update(GRANTS, dict.fromkeys(grants, MISSING))
    if keep_wish and inventory.wish is False:
        return replace(inventory, wish=None)
    await store.delete(WISHES, plugin)
    return inventory


async def _drop(executor: Executor, engine: EngineName, objects: Sequence[StoredObject]) -> None:
    if engine == "sqlite":
        # Tables that refer to each other go in any order: at the commit none is left to refer.
        await executor.execute("PRAGMA defer_foreign_keys = ON")
    for statement in _statements(engine, objects):
        await executor.execute(statement)


async def _drop_one_by_one(
    database: Database, plugin: str, objects: Sequence[StoredObject]
) -> None:
    refused: tuple[type[Exception], ...] = (NexusError, *refusals("mariadb"))
    try:
        for each in objects:
            for (constraint,) in await database.fetch_all(_FOREIGN_KEYS, (each.name,)):
                await database.execute(
                    f"ALTER TABLE {quoted('mariadb', each.name)}"
                    f" DROP FOREIGN KEY IF EXISTS {quoted('mariadb', constraint)}"
                )
        for statement in _statements("mariadb", objects):
            await database.execute(statement)
    except refused as error:
        left = [each.name for each in await objects_of(database, "mariadb", plugin)]
        raise PurgeFailed(plugin=plugin, problem=told(error), left=left) from error


def _statements(engine: EngineName, objects: Sequence[StoredObject]) -> list[str]:
    """Give what removes them; PostgreSQL takes those of a kind together, whatever ties them."""
    statements = []
    for kind in _ORDER:
        for materialized in (False, True):
            names = [
                quoted(engine, each.name)
                for each in objects
                if each.kind == kind and each.materialized is materialized
            ]
            word = f"MATERIALIZED {_WORDS[kind]}" if materialized else _WORDS[kind]
            if engine == "postgresql" and names:
                names = [", ".join(names)]
            statements += [f"DROP {word} IF EXISTS {name}" for name in names]
    return statements
