"""Reading in a thread: calls that queued up meanwhile are answered together."""

import sqlite3

from nexus.data.engines.sqlite.thread import Job, Outcome


def read_batch(connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome]:
    """Answer a statement with its first row or None, and a function with what it returns.

    Each statement sees everything that was committed before it began.
    """
    outcomes: list[Outcome] = []
    for future, work, parameters in batch:
        try:
            if isinstance(work, str):
                result = connection.execute(work, parameters).fetchone()
            else:
                result = work(connection)
        except Exception as error:  # noqa: BLE001  handed to the caller, whose error it is
            outcomes.append((future, None, error))
        else:
            outcomes.append((future, result, None))
    return outcomes
