"""Lets SQLite change tables that others refer to.

SQLite changes a table by making a new one and dropping the old one, which for it deletes the rows
first: those that refer to them would be deleted too, or be in the way. So foreign keys are not
enforced meanwhile, and are checked at the end; the pragma works outside of transactions only.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from nexus.data.migrations.position import tables_of
from nexus.data.transaction import Transaction, to_the_end
from nexus.errors import MigrationsInvalid, NexusError


@asynccontextmanager
async def tables_may_move(transaction: Transaction, plugin: str) -> AsyncIterator[None]:
    """Do without foreign keys in a block that is all that happens in a transaction.

    On other engines it does nothing.

    Args:
        transaction: A transaction in which nothing has happened yet.
        plugin: Whose tables are changed.

    Raises:
        MigrationsInvalid: A row refers to one that is not there any more.
    """
    if transaction.database.engine != "sqlite" or transaction.is_nested:
        yield
        return
    driver = transaction.driver
    await driver.drop_foreign_keys()
    try:
        yield
        await _check(transaction, plugin)
    except BaseException:
        with suppress(NexusError):  # where the lease is over, so is the connection
            await to_the_end(driver.enforce_foreign_keys("ROLLBACK"))
        raise
    await to_the_end(driver.enforce_foreign_keys("COMMIT"))


async def _check(transaction: Transaction, plugin: str) -> None:
    for table in sorted(await tables_of(transaction.database, plugin)):
        found = await transaction.fetch_one(f"PRAGMA foreign_key_check({table})")
        if found is not None:
            raise MigrationsInvalid(
                plugin=plugin,
                problem=f"rows of {table} would refer to rows of {found[2]} that are not there",
                advice="Delete or change those rows in the migration, too.",
            )
