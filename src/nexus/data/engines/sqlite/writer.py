"""Group commit: callers that write at the same time share one transaction."""

import sqlite3
from typing import Final

from nexus.data.engines.sqlite.thread import Function, Job, Outcome

_INSERT: Final = "INSERT INTO key_value VALUES "


class GroupCommit:
    """Performs batches of writes, each in one transaction.

    A statement's result is the number of rows it changed. A function runs in a savepoint, and runs
    again when the transaction around it was lost to another caller's trouble, so all that it does
    it does to the connection. Nobody is answered before the commit, and a failing job fails its
    own caller only.

    Attributes:
        commits: How many transactions with anything in them were committed.
        jobs: How many jobs they were asked for.
    """

    def __init__(self) -> None:
        self.commits = 0
        self.jobs = 0

    def __call__(self, connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome]:
        """Do the jobs of a batch in the thread of the connection."""
        self.jobs += len(batch)
        if len(batch) == 1:
            return self._one_by_one(connection, batch)
        return self._together(connection, batch)

    def _together(self, connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = _all_at_once(connection, batch) or _one_after_another(connection, batch)
            connection.execute("COMMIT")
        except sqlite3.Error:
            _roll_back(connection)
            return self._one_by_one(connection, batch)
        self.commits += any(error is None for _, _, error in outcomes)
        return outcomes

    def _one_by_one(self, connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome]:
        outcomes = [_alone(connection, job) for job in batch]
        self.commits += sum(error is None for _, _, error in outcomes)
        return outcomes


def _all_at_once(connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome] | None:
    """Do a batch of nothing but `set_data` in one call; None where that did not go smoothly."""
    statement = batch[0][1]
    if not isinstance(statement, str) or not statement.startswith(_INSERT):
        return None
    rows = [parameters for _, work, parameters in batch if work is statement]
    if len(rows) < len(batch):
        return None
    try:
        changed = connection.executemany(statement, rows).rowcount
    except Exception:  # noqa: BLE001  one after another they are tried again, to tell whose it is
        changed = -1
    # Such a statement changes one row or none, so as many changes as jobs mean one for each.
    if changed == len(batch):
        return [(future, 1, None) for future, _, _ in batch]
    _roll_back(connection)
    connection.execute("BEGIN IMMEDIATE")
    return None


def _one_after_another(connection: sqlite3.Connection, batch: list[Job]) -> list[Outcome]:
    execute = connection.cursor().execute
    outcomes: list[Outcome] = []
    for future, work, parameters in batch:
        try:
            result: object
            if isinstance(work, str):
                result = execute(work, parameters).rowcount
            else:
                result = _in_savepoint(connection, work)
            outcomes.append((future, result, None))
        except Exception as error:
            if not connection.in_transaction:  # SQLite rolled all of it back: trouble with the disk
                raise
            outcomes.append((future, None, error))
    return outcomes


def _in_savepoint(connection: sqlite3.Connection, work: Function) -> object:
    connection.execute("SAVEPOINT job")
    try:
        result = work(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        raise
    connection.execute("RELEASE job")
    return result


def _alone(connection: sqlite3.Connection, job: Job) -> Outcome:
    future, work, parameters = job
    try:
        if isinstance(work, str):  # a statement outside a transaction is one of its own
            return future, connection.execute(work, parameters).rowcount, None
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
    except Exception as error:  # noqa: BLE001  handed to the caller, whose error it is
        return future, None, error
    return future, result, None


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
