"""What commands change where no application runs, in the audit log."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nexus.audit import Actor, AuditLog, Change, acting
from nexus.data.database import Database
from nexus.plugins.presentable import presentable


def user_name() -> str:
    """Give the name of whoever uses the command line; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an id without an account, as in containers
        return ""


def cli_actor() -> Actor:
    """Give who is at work, as the management API names them too."""
    return Actor(name=f"cli:{user_name()}".rstrip(":"))


async def audit_log(database: Database) -> AuditLog:
    """Open the audit log of an application that does not run."""
    log = AuditLog(database, presentable)
    await log.open()
    return log


@asynccontextmanager
async def audited(
    database: Database, action: str, *, plugin: str = "", irreversible: bool = False
) -> AsyncIterator[Change]:
    """Record a change that this command makes; arguments as those of `AuditLog.change`."""
    log = await audit_log(database)
    with acting(cli_actor()):
        async with log.change(action, plugin=plugin, irreversible=irreversible) as change:
            yield change
