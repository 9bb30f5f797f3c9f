import socket

import pytest

from nexus.cli.errors import AddressUnavailable
from nexus.cli.listening import bind, is_loopback, local_url

ANYWHERE = "0.0.0.0"  # noqa: S104 - what is being tested


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        (ANYWHERE, False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


def test_port_0_takes_a_free_one() -> None:
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert port > 0
        assert local_url("127.0.0.1", listening) == f"http://127.0.0.1:{port}"
        assert local_url(ANYWHERE, listening) == f"http://127.0.0.1:{port}"
        assert local_url("::", listening) == f"http://[::1]:{port}"
        assert local_url("localhost", listening) == f"http://localhost:{port}"


def test_small_answers_are_not_held_back() -> None:
    with bind("127.0.0.1", 0) as listening:
        # asyncio sets TCP_NODELAY on what a socket accepts only when the socket names its protocol.
        assert listening.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_told() -> None:
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with (
            pytest.raises(AddressUnavailable, match="another program listens there"),
            bind("127.0.0.1", port),
        ):
            pass


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_that_is_not_here_is_told(host: str) -> None:
    with pytest.raises(AddressUnavailable, match=r"host|address"), bind(host, 0):
        pass
