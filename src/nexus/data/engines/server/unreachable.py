"""Why a server cannot be reached, and what to do about it."""

import errno
import socket
import ssl
from typing import Final

from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable, TransactionCollided

_ADDRESS: Final = "Start the server, or correct host and port in database.url."
_OF_SOCKETS: Final[dict[int | None, tuple[str, str]]] = {
    errno.ENOENT: ("there is no server's socket in that folder", _ADDRESS),
    errno.EACCES: (
        "the server's socket may not be used",
        "Let the user of this process use it, or connect by TCP.",
    ),
}
_RETRY: Final = "Check the server and the network; nothing here needs a restart."
_BROKEN_OFF: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""What a server that goes away while encryption is agreed upon looks like."""


def unreachable(url: DatabaseUrl, error: OSError) -> DatabaseUnavailable:
    """Give the error for a connection that could not be made, or was lost."""
    problem, advice = _reason(url, error)
    # A certificate or a right does not change by itself; a name may be known later, a server come
    # back.
    is_about_tls = isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_OFF)
    passing = not is_about_tls and not isinstance(error, PermissionError)
    return DatabaseUnavailable(
        path=url.location,
        problem=problem,
        advice=advice,
        passing=passing,
        refused=is_about_tls,
    )


def refused(url: DatabaseUrl, error: Exception) -> DatabaseUnavailable:
    """Give the error for a server that lets nobody in, for a reason that only it has words for."""
    said = " ".join(str(error.args[-1] if error.args else error).split())
    return DatabaseUnavailable(
        path=url.location,
        problem=f"the server refused the connection ({said or type(error).__name__})",
        advice="Correct user, password and name in database.url, or set up the user at the server.",
        refused=True,
    )


def lost(url: DatabaseUrl) -> DatabaseUnavailable:
    """Give the error for a connection that broke while it was used."""
    return DatabaseUnavailable(
        path=url.location,
        problem="the connection to the server was lost",
        advice=f"What was not confirmed may not be stored. {_RETRY}",
        passing=True,
    )


def overdue(url: DatabaseUrl, seconds: float) -> DatabaseUnavailable:
    """Give the error for a statement that took longer than it may."""
    return DatabaseUnavailable(
        path=url.location,
        problem=f"a statement took more than {seconds:g} s and was stopped",
        advice="Give it less to do or an index, or raise database.statement_timeout.",
    )


def collided(url: DatabaseUrl) -> TransactionCollided:
    """Give the error for a transaction that a deadlock ended."""
    return TransactionCollided(
        path=url.location,
        problem="two transactions waited for each other, and this one had to give way",
        advice="Nothing of it was stored; do it again.",
    )


def _reason(url: DatabaseUrl, error: OSError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_OFF):
        return _reason_of_tls(error)
    if isinstance(error, socket.gaierror):
        return f"the host {url.host} is not known", "Correct the host in database.url."
    if isinstance(error, TimeoutError):
        return "the server did not answer", _RETRY
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return "nothing listens there", _ADDRESS
    if isinstance(error, ConnectionError | ssl.SSLError):
        return "the connection to the server was lost", _RETRY
    return _OF_SOCKETS.get(
        error.errno, (f"it cannot be reached ({error.strerror or type(error).__name__})", _RETRY)
    )


def _reason_of_tls(error: ssl.SSLError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate was refused ({error.verify_message})",
            "Name the file with its authority (sslrootcert) and the right host in database.url.",
        )
    return (
        "no encrypted connection could be agreed upon",
        "Set up TLS at the server, or another sslmode in database.url.",
    )
