"""What the errors of PostgreSQL and asyncpg mean for whoever asked."""

import ssl
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has none

from nexus.data.engines.server.unreachable import (
    collided,
    lost,
    overdue,
    refused,
    unreachable,
)
from nexus.data.url import DatabaseUrl
from nexus.errors import (
    DatabaseUnavailable,
    NexusError,
    TransactionReadOnly,
    UniqueViolation,
)

TROUBLES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Everything that asyncpg raises."""

COLLISIONS: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

_WAIT: Final = "Nothing here needs a restart."
_DISK: Final = f"Free some space there. {_WAIT}"
_PROBLEMS: Final[dict[str, tuple[str, str]]] = {
    "28P01": (
        "the password or the user was refused",
        "Correct user and password in database.url.",
    ),
    "28000": (
        "the server lets this user not in from here",
        "Correct the user in database.url, or allow it in the server's pg_hba.conf.",
    ),
    "3D000": (
        "there is no such database on the server",
        "Create it (CREATE DATABASE), or correct its name in database.url.",
    ),
    "42501": (
        "the user may not do that",
        "Make the user the owner of the database, or GRANT CREATE, USAGE ON SCHEMA public.",
    ),
    "53100": ("the server's disk is full", _DISK),
    "53200": ("the server is out of memory", _WAIT),
    "53300": (
        "the server has too many connections",
        "Lower database.pool_size or the number of workers, or raise its max_connections.",
    ),
    "57P01": ("the server ended the connection", _WAIT),
    "57P02": ("the server ended the connection after a crash", _WAIT),
    "57P03": ("the server is starting or stopping", _WAIT),
    "57P05": ("the server ended the connection, which was idle", _WAIT),
    "58030": ("the server cannot read or write its files", "Look into the server's log."),
}
_PASSING: Final = frozenset({"53100", "53200", "53300", "57P01", "57P02", "57P03", "57P05"})
_REFUSALS: Final = frozenset({"28P01", "28000", "3D000", "42501", "53300"})
_ALWAYS: Final = frozenset(_PROBLEMS) - {"42501"}
"""A missing privilege is trouble with the database when its tables are made; a statement's
otherwise."""


def translated(error: BaseException, url: DatabaseUrl, *, statement_limit: float) -> Exception:
    """Give the error to raise for one of asyncpg's; the same where it tells enough."""
    told: Exception | None = None
    if isinstance(error, asyncpg.PostgresError):
        told = _of_server(error, url, statement_limit)
    elif isinstance(error, OSError):
        is_about_tls = isinstance(error, ConnectionError) and "SSL" in str(error)
        told = unreachable(url, ssl.SSLError() if is_about_tls else error)
    elif isinstance(error, asyncpg.InternalClientError) or (
        isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)
    ):
        told = lost(url)
    if told is None and isinstance(error, Exception):
        told = error
    return told or lost(url)


def unusable(error: Exception, url: DatabaseUrl, *, statement_limit: float) -> Exception:
    """Give the error for trouble with the platform's own tables."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return _problem(url, "42501")
    return translated(error, url, statement_limit=statement_limit)


def not_let_in(error: Exception, url: DatabaseUrl, *, statement_limit: float) -> Exception:
    """Give the error for a connection that could not be made."""
    told = unusable(error, url, statement_limit=statement_limit)
    return told if isinstance(told, NexusError) else refused(url, error)


def is_refusal(error: BaseException) -> bool:
    """Tell whether a server has answered, if only to refuse."""
    return (
        isinstance(error, asyncpg.PostgresError)
        and bool(error.sqlstate)
        and not (isinstance(error, asyncpg.PostgresConnectionError))
    )


def _of_server(
    error: asyncpg.PostgresError, url: DatabaseUrl, statement_limit: float
) -> Exception | None:
    state = error.sqlstate or ""
    told: Exception | None = None
    if state in _ALWAYS:
        told = _problem(url, state)
    elif isinstance(error, asyncpg.UniqueViolationError):
        told = UniqueViolation(constraint=error.constraint_name or "")
    elif isinstance(error, COLLISIONS):
        told = collided(url)
    elif isinstance(error, asyncpg.PostgresConnectionError):
        told = lost(url)
    elif isinstance(error, asyncpg.QueryCanceledError):
        told = overdue(url, statement_limit)
    elif isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        told = TransactionReadOnly()
    return told


def _problem(url: DatabaseUrl, state: str) -> DatabaseUnavailable:
    problem, advice = _PROBLEMS[state]
    return DatabaseUnavailable(
        path=url.location,
        problem=problem,
        advice=advice,
        passing=state in _PASSING,
        refused=state in _REFUSALS,
    )
