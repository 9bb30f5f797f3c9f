import socket
import ssl

import pytest

from nexus.data.engines.server.unreachable import unreachable
from nexus.data.url import DatabaseUrl

URL = DatabaseUrl(
    engine="postgresql", host="db.example", port=5432, password="secret", database="shop"
)


@pytest.mark.parametrize(
    ("error", "problem", "advice"),
    [
        (ConnectionRefusedError(111, "Connect call failed"), "nothing listens", "Start the server"),
        (OSError("Multiple exceptions: Connect call failed"), "nothing listens", "host and port"),
        (socket.gaierror(-2, "unknown"), "host db.example is not known", "host in database.url"),
        (TimeoutError(), "did not answer", "network"),
        (ConnectionResetError(104, "reset"), "was lost", "nothing here needs a restart"),
        (FileNotFoundError(2, "no"), "no server's socket", "host and port"),
        (PermissionError(13, "no"), "may not be used", "TCP"),
        (OSError(113, "No route to host"), "No route to host", "network"),
        (ssl.SSLError(1, "wrong version"), "no encrypted connection", "sslmode"),
        (ssl.SSLCertVerificationError(1, "bad"), "certificate was refused", "sslrootcert"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_reason_has_its_advice(error: OSError, problem: str, advice: str) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed"
    text = str(unreachable(URL, error))

    assert problem in text
    assert advice in text
    assert "postgresql://db.example:5432/shop" in text
    assert "secret" not in text
