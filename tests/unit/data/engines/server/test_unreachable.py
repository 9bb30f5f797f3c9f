import socket
import ssl

import pytest

from nexus.data.engines.server.unreachable import refused, unreachable
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


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionRefusedError(111, "no"), True),
        (socket.gaierror(-2, "unknown"), True),
        (TimeoutError(), True),
        (FileNotFoundError(2, "no"), True),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), True),
        (PermissionError(13, "no"), False),
        (ssl.SSLError(1, "wrong version"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_somebody_has_to_correct_here_does_not_pass(error: OSError, passes: bool) -> None:
    found = unreachable(URL, error)

    assert found.data["passing"] is passes
    assert found.data["refused"] is (type(error) is ssl.SSLError)


def test_a_refusal_without_words_of_our_own_is_told_in_the_servers() -> None:
    found = refused(URL, ValueError(1251, "Client does not support\nthe protocol"))

    assert "was reached, but postgresql://db.example:5432/shop cannot be used" in str(found)
    assert "(Client does not support the protocol)" in str(found)
    assert found.data["refused"]
    assert not found.data["passing"]
