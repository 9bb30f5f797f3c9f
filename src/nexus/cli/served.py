"""Whether processes on other machines, too, serve the application of a database."""

from nexus.cli.errors import MustNotRun
from nexus.cluster import Members
from nexus.data.database import Database


async def must_not_be_served(database: Database, action: str) -> None:
    """Refuse what has to wait until no process uses a database any more.

    A file that one process alone may use is locked, which says the same; a server, or a file that
    is shared, has a row for each process.

    Args:
        database: The application's database, open.
        action: What was to be done, such as `switch`.

    Raises:
        MustNotRun: There are such processes, or were until a moment ago.
    """
    members = Members(database, lease=0.0)
    await members.open()
    alive = [each.label for each in await members.all() if each.is_alive]
    if alive:
        where = f" as {', '.join(alive)} (one that was killed counts for some seconds more)"
        raise MustNotRun(action=action, where=where)
