"""Says in sentences how the tables in a database differ from the models."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from nexus.data.database import Database
from nexus.data.migrations.comparison import compare
from nexus.data.models import Models
from nexus.data.models.engine import LeaseEngine
from nexus.data.models.participant import Participant


async def drift(database: Database, models: Models) -> list[str]:
    """Compare the tables in the database with the models.

    Server defaults and checks are not compared, nor the expressions that indexes are of; and SQLite
    tells nothing of the values of an enumeration.

    Args:
        database: The database.
        models: A plugin's models.

    Returns:
        A sentence for each difference; none where there is none.

    Raises:
        DatabaseUnavailable: The database cannot be reached.
    """
    engine = LeaseEngine(database)
    try:
        async with database.transaction(read_only=True) as transaction:
            participant = Participant(transaction, read_only=True)
            connection = await engine.connect(participant)
            found = await connection.run_sync(_differences, models)
            participant.has_left = True
            return found
    finally:
        await engine.close()


def _differences(connection: Connection, models: Models) -> list[str]:
    script, _ = compare(connection, models)
    return [
        sentence
        for operations in script.upgrade_ops_list
        for difference in operations.as_diffs()
        for sentence in _sentences(difference)
    ]


def _sentences(difference: Any) -> Iterator[str]:
    if isinstance(difference, list):  # several changes of one column
        for each in difference:
            yield _of_column(*each)
        return
    action, *rest = difference
    verb, _, kind = action.partition("_")
    what = _named(kind, rest)
    if verb == "add":
        yield f"{what} is missing."
    elif verb == "remove":
        yield f"{what} is there, and no model has it."
    else:
        yield f"{what} differs ({action.replace('_', ' ')})."


def _named(kind: str, rest: list[Any]) -> str:
    thing = rest[-1]
    if kind == "table":
        return f"The table {thing.name}"
    if kind == "column":
        return f"The column {rest[1]}.{thing.name}"
    if kind == "index":
        return f"The index {thing.name} of {thing.table.name}"
    if kind == "fk":
        columns = ", ".join(thing.column_keys)
        target = next(iter(thing.elements)).target_fullname.rpartition(".")[0]
        actions = "".join(
            f" ON {event} {action}"
            for event, action in (("DELETE", thing.ondelete), ("UPDATE", thing.onupdate))
            if action
        )
        return f"The foreign key of {thing.parent.name} ({columns}) to {target}{actions}"
    if kind == "constraint":
        columns = ", ".join(each.name for each in thing.columns)
        return f"The unique constraint of {thing.table.name} ({columns})"
    return f"The {kind.replace('_', ' ')} {getattr(thing, 'name', thing)}"


def _of_column(
    action: str, _schema: Any, table: str, column: str, _existing: Any, found: Any, wanted: Any
) -> str:
    place = f"The column {table}.{column}"
    if action == "modify_nullable":
        may, must_not = "may be NULL", "may not be NULL"
        return (
            f"{place} {may if found else must_not}; in the model it {may if wanted else must_not}."
        )
    what = {"modify_type": "is", "modify_default": "has the default"}.get(action, "has the comment")
    return f"{place} {what} {found!r}; in the model it {what} {wanted!r}."
