"""A database server that goes away for a while, and comes back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.events.outage import away, private_server
from tests.integration.data.outage.conftest import PrivatePostgresql

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server() -> Iterator[PrivatePostgresql]:
    if PrivatePostgresql.binary("initdb") is None:
        if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail("no initdb to start a server with")
        pytest.skip("no initdb to start a server with")
    with private_server() as made:
        yield made


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("when_away", ["fail", "wait"])
def test_publishing_fails_or_waits_while_the_server_is_away_and_nothing_acknowledged_is_lost(
    server: PrivatePostgresql, tmp_path: Path, seed: int, when_away: str, how: signal.Signals
) -> None:
    found = away(server, tmp_path / "notes", seed, when_away, how, seconds=2)

    found.check()
    if when_away == "wait":  # what is in a transaction fails with it
        assert set(found.refused.values()) == {"shop.sold"}
    else:
        assert set(found.refused.values()) == {"shop.sold", "shop.seen", "shop.step"}
