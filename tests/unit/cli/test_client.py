import socket

import httpx
import pytest

from nexus.cli import client as module
from nexus.cli.client import ManagementClient
from nexus.cli.errors import ApplicationUnreachable


def test_an_application_that_takes_connections_and_says_nothing_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LIVE", httpx.Timeout(10.0, read=0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            ManagementClient(url, None, local=True) as client,
            pytest.raises(ApplicationUnreachable, match="holding its event loop"),
        ):
            client.answers()


def test_nobody_at_the_address_is_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with ManagementClient(f"http://127.0.0.1:{port}", None, local=True) as client:
        assert not client.answers()
