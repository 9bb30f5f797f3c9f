"""A server that goes away for a while, and comes back."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.events.broker import PROGRAMS, private_broker
from tests.acceptance.events.outage import away, broker_away, private_server
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


@pytest.mark.parametrize(
    ("when_away", "how"),
    [("fail", signal.SIGKILL), ("wait", signal.SIGINT)],
    ids=["killed, fail", "stopped, wait"],
)
def test_publishing_fails_or_waits_while_the_server_is_away_and_nothing_acknowledged_is_lost(
    server: PrivatePostgresql, tmp_path: Path, seed: int, when_away: str, how: signal.Signals
) -> None:
    found = away(server, tmp_path / "notes", seed, when_away, how, seconds=2)

    found.check()
    if when_away == "wait":  # what is in a transaction fails with it
        assert set(found.refused.values()) == {"shop.sold"}
    else:
        assert set(found.refused.values()) == {"shop.sold", "shop.seen", "shop.step"}


@pytest.mark.parametrize("when_away", ["fail", "wait"])
@pytest.mark.parametrize("engine", ["nats", "redis"])
def test_the_server_of_the_events_is_killed_and_nothing_acknowledged_is_lost(
    tmp_path: Path, seed: int, engine: str, when_away: str
) -> None:
    if shutil.which(PROGRAMS[engine], path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
        if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(f"no {PROGRAMS[engine]} to start a server with")
        pytest.skip(f"no {PROGRAMS[engine]} to start a server with")
    with private_broker(engine) as broker:
        found = broker_away(broker, tmp_path, seed, when_away, seconds=2)

    found.check()
    # What is in a transaction waits in the outbox, whatever is to be done otherwise.
    refused = set(found.refused.values())
    assert refused <= {"shop.seen", "shop.step"}
    assert bool(refused) is (when_away == "fail")
