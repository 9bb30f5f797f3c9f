"""Encrypted connections to a server."""

import ssl

from nexus.data.url import DatabaseUrl


def client_context(url: DatabaseUrl) -> ssl.SSLContext:
    """Give the context for a URL.

    `verify-full` checks the server's certificate and name. With the other modes the connection is
    encrypted, which protects against those who listen; the certificate is checked, but not the
    name in it, if the file with its authority is given.
    """
    context = ssl.create_default_context(cafile=url.tls_roots or None)
    if url.tls != "verify-full":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if url.tls_roots else ssl.CERT_NONE
    return context
