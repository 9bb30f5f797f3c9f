"""Encrypted connections to a server."""

import ssl
from pathlib import Path

from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable


def client_context(url: DatabaseUrl) -> ssl.SSLContext:
    """Give the context for a URL.

    `verify-full` checks the server's certificate and name. With the other modes the connection is
    encrypted, which protects against those who listen; the certificate is checked, but not the
    name in it, if the file with its authority is given.

    Raises:
        DatabaseUnavailable: That file cannot be used.
    """
    check_roots(url)
    try:
        context = ssl.create_default_context(cafile=url.tls_roots or None)
    except ssl.SSLError:
        raise _unusable(url, "holds no certificate in PEM format") from None
    if url.tls != "verify-full":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if url.tls_roots else ssl.CERT_NONE
    return context


def check_roots(url: DatabaseUrl) -> None:
    """Refuse a file with authorities that is not there, whether or not the server encrypts.

    The system's error would look like one of the network, for which one waits.

    Raises:
        DatabaseUnavailable: It is not there, or cannot be read.
    """
    if not url.tls_roots or url.tls == "disable":
        return
    try:
        with Path(url.tls_roots).open("rb"):
            pass
    except FileNotFoundError:
        raise _unusable(url, "was not found") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unusable(url, f"cannot be read ({reason})") from None


def _unusable(url: DatabaseUrl, what: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        path=url.location,
        problem=f"the file {url.tls_roots}, which sslrootcert in database.url names, {what}",
        advice="Name the file with the authority that signed the server's certificate, or leave"
        " sslrootcert out.",
    )
