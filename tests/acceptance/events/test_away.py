"""A database server that goes away for a while, and comes back."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.acceptance.events.driver import Orders, crowd
from tests.acceptance.events.evidence import collect, prepare, wait_for
from tests.integration.data.outage.conftest import PASSWORD, PrivatePostgresql

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server() -> Iterator[PrivatePostgresql]:
    if PrivatePostgresql.binary("initdb") is None:
        pytest.skip("no initdb to start a server with")
    made = PrivatePostgresql()
    made.options = ["-c", "ssl=off"]
    try:
        made.create()
        asyncio.run(made.start())
        asyncio.run(made.set_up())
        yield made
    finally:
        made.remove()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("when_away", ["fail", "wait"])
def test_publishing_fails_or_waits_while_the_server_is_away_and_nothing_acknowledged_is_lost(
    server: PrivatePostgresql, tmp_path: Path, seed: int, when_away: str, how: signal.Signals
) -> None:
    away(server, tmp_path / "notes", seed, when_away, how, seconds=2)


def away(
    server: PrivatePostgresql,
    notes: Path,
    seed: int,
    when_away: str,
    how: signal.Signals,
    seconds: float,
) -> None:
    """Take the server away from a process that publishes and handles."""
    url = f"postgresql://nexus:{quote(PASSWORD)}@127.0.0.1:{server.port}/nexus"
    notes.mkdir()
    prepare(url)
    orders = Orders(
        url=url,
        folder=str(notes),
        alone=False,
        events=1_000_000,
        pause=0.02,
        when_away=when_away,
        publish_timeout=seconds + 30,
        pool_timeout=0.5,
    )
    with crowd(orders, seed) as processes:
        process = processes.start()
        wait_for(notes, "acknowledged", 300)
        server.stop(how)
        wait_for(notes, "refused", 1)
        time.sleep(seconds)
        asyncio.run(server.start())
        wait_for(notes, "acknowledged", 300)
        process.stop_publishing()
        process.finish()
        processes.alive.clear()

    found = collect(url, notes)
    found.check()
    if when_away == "wait":  # what is in a transaction fails with it
        assert set(found.refused.values()) == {"shop.sold"}
    else:
        assert set(found.refused.values()) == {"shop.sold", "shop.seen", "shop.step"}
