"""Moves the cursors of all subscriptions back."""

import json
from typing import Final

from nexus.data.transaction import Transaction
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.tables import LOCK_HEAD

_MOVE: Final = (
    "UPDATE nexus_event_subscriptions SET last_position = ?, acknowledged = ?, worker = NULL,"
    " epoch = epoch + 1, suspect = 0, crashes = 0 WHERE id = ?"
)


async def rewind(
    transaction: Transaction, dialect: Dialect, limit: int, *, exactly: bool = False
) -> None:
    """Have no cursor behind a position; whoever has a lease loses it.

    Args:
        transaction: What it is a part of.
        dialect: That of the database.
        limit: The position.
        exactly: Whether cursors before it come there, too.
    """
    await transaction.execute(LOCK_HEAD)
    # From here on, no acknowledgment is taken any more.
    await transaction.execute("UPDATE nexus_event_subscriptions SET epoch = epoch + 1")
    rows = await transaction.fetch_all(
        "SELECT id, last_position, acknowledged FROM nexus_event_subscriptions"
    )
    moved = []
    for number, cursor, text in rows:
        at = limit if exactly else min(cursor, limit)
        handled = [each for each in json.loads(text or "[]") if at < each <= limit]
        moved.append((at, json.dumps(handled) if handled else "", number))
    if moved:
        await transaction.execute_many(dialect(_MOVE), moved)
