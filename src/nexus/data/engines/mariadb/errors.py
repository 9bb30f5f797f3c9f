"""What the errors of MariaDB and asyncmy mean for whoever asked."""

import re
import ssl
from typing import Final

from asyncmy.errors import InterfaceError, InternalError, MySQLError

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

TROUBLES: Final = (MySQLError, OSError, TimeoutError)
"""Everything that asyncmy raises."""

DEADLOCK: Final = 1213
REPREPARE: Final = 1615
OVERDUE: Final = 1969

_WAIT: Final = "Nothing here needs a restart."
_FIRST_OF_SERVER: Final = 1000
_FIRST_OF_CLIENT: Final = 2000
_LAST_OF_CLIENT: Final = 3000
_UNREACHABLE: Final = 2003
_NO_TLS: Final = 2026
_STATEMENT_LIMITS: Final = frozenset({OVERDUE, 3024})
_DUPLICATES: Final = frozenset({1062, 1586, 1859})
_READ_ONLY: Final = 1792
_ENDED: Final = frozenset({1053, 1080, 1152, 1184, 1927})
_PASSING: Final = frozenset({1021, 1040, 1041, 1114, 1203, 1205, 1226, 1317})
_REFUSALS: Final = frozenset({1040, 1044, 1045, 1049, 1129, 1130, 1203, 1226, 1698})
_KEY: Final = re.compile(r"for key '([^']*)'\Z")
_CREDENTIALS: Final = (
    "the password or the user was refused",
    "Correct user and password in database.url.",
)
_FULL: Final = ("the server's disk is full", f"Free some space there. {_WAIT}")
_MANY: Final = (
    "the server has too many connections",
    "Lower database.pool_size or the number of workers, or raise its max_connections.",
)
_REFUSED: Final = (
    "the server takes no changes",
    "Name the primary server in database.url, or end its read-only mode.",
)
_PROBLEMS: Final[dict[int, tuple[str, str]]] = {
    1021: _FULL,
    1114: _FULL,
    1040: _MANY,
    1203: _MANY,
    1226: _MANY,
    1044: (
        "the user may not use that database",
        "GRANT the user ALL PRIVILEGES on it, or correct its name in database.url.",
    ),
    1045: _CREDENTIALS,
    1698: _CREDENTIALS,
    1049: (
        "there is no such database on the server",
        "Create it (CREATE DATABASE), or correct its name in database.url.",
    ),
    1129: (
        "the server blocks this host after failed connections",
        "Run FLUSH HOSTS there.",
    ),
    1130: (
        "the server lets this host not in",
        "Create the user for this host (CREATE USER name@host).",
    ),
    1153: (
        "a statement is larger than the server takes",
        "Store less at once, or raise the server's max_allowed_packet.",
    ),
    1317: ("somebody had the server stop a statement", "Try again."),
    1205: ("a row stayed locked for too long", "Try again, and keep transactions short."),
    1290: _REFUSED,
    1836: _REFUSED,
    1041: ("the server is out of memory", _WAIT),
}


def number(error: BaseException) -> int:
    """Give the error's number, 0 for one that has none."""
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


def translated(error: BaseException, url: DatabaseUrl, *, statement_limit: float) -> Exception:
    """Give the error to raise for one of asyncmy's; the same where it tells enough."""
    told: Exception | None = None
    if isinstance(error, OSError):
        told = unreachable(url, error)
    elif isinstance(error, MySQLError):
        told = _of_server(error, url, statement_limit) or _of_client(error, url)
    if told is None and isinstance(error, Exception):
        told = error
    return told or lost(url)


def unusable(error: Exception, url: DatabaseUrl, *, statement_limit: float) -> Exception:
    """Give the error for trouble with the platform's own tables."""
    if number(error) == 1142:  # noqa: PLR2004 - a command denied to the user
        problem, advice = _PROBLEMS[1044]
        return DatabaseUnavailable(path=url.location, problem=problem, advice=advice, refused=True)
    return translated(error, url, statement_limit=statement_limit)


def not_let_in(error: Exception, url: DatabaseUrl, *, statement_limit: float) -> Exception:
    """Give the error for a connection that could not be made."""
    told = unusable(error, url, statement_limit=statement_limit)
    return told if isinstance(told, NexusError) else refused(url, error)


def is_refusal(error: BaseException) -> bool:
    """Tell whether a server has answered, if only to refuse."""
    code = number(error)
    return isinstance(error, MySQLError) and (
        _FIRST_OF_SERVER <= code < _FIRST_OF_CLIENT or code > _LAST_OF_CLIENT
    )


def is_breakage(error: BaseException) -> bool:
    """Tell whether an error leaves a connection that cannot be used any more."""
    if isinstance(error, OSError | InternalError):
        return True
    return isinstance(error, MySQLError) and (
        _FIRST_OF_CLIENT <= number(error) < _LAST_OF_CLIENT or number(error) in _ENDED
    )


def _of_server(error: MySQLError, url: DatabaseUrl, statement_limit: float) -> Exception | None:
    code = number(error)
    told: Exception | None = None
    if code in _PROBLEMS:
        problem, advice = _PROBLEMS[code]
        told = DatabaseUnavailable(
            path=url.location,
            problem=problem,
            advice=advice,
            passing=code in _PASSING,
            refused=code in _REFUSALS,
        )
    elif code in _DUPLICATES:
        told = UniqueViolation(constraint=_index(str(error.args[-1])))
    elif code == DEADLOCK:
        told = collided(url)
    elif code in _STATEMENT_LIMITS:
        told = overdue(url, statement_limit)
    elif code == _READ_ONLY:
        told = TransactionReadOnly()
    return told


def _of_client(error: MySQLError, url: DatabaseUrl) -> Exception | None:
    """Translate what is not the server's answer to a statement."""
    code = number(error)
    if code == _UNREACHABLE:
        cause = error.__cause__
        return unreachable(url, cause if isinstance(cause, OSError) else OSError(str(error)))
    if code == _NO_TLS:
        return unreachable(url, ssl.SSLError())
    if is_breakage(error) or isinstance(error, InterfaceError):
        return lost(url)
    return None


def _index(message: str) -> str:
    """Give the name of the index; MySQL 8 puts the table's in front of it."""
    found = _KEY.search(message)
    return found.group(1).rpartition(".")[2] if found else ""
