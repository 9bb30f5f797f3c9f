"""Takes the database server away from a process that publishes and handles."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.acceptance.events.driver import Orders, crowd
from tests.acceptance.events.evidence import Evidence, collect, prepare, wait_for
from tests.integration.data.outage.conftest import PASSWORD, PrivatePostgresql


@contextmanager
def private_server() -> Iterator[PrivatePostgresql]:
    """Give a server of our own, which runs."""
    made = PrivatePostgresql()
    made.options = ["-c", "ssl=off"]
    try:
        made.create()
        asyncio.run(made.start())
        asyncio.run(made.set_up())
        yield made
    finally:
        made.remove()


def away(
    server: PrivatePostgresql,
    notes: Path,
    seed: int,
    when_away: str,
    how: signal.Signals,
    seconds: float,
) -> Evidence:
    """Stop the server for a while, with events before, meanwhile and afterwards.

    Args:
        server: The server, which runs.
        notes: The folder for the notes; it is made.
        seed: What decides about pauses.
        when_away: What publishing does meanwhile.
        how: How it is stopped.
        seconds: How long it is away, at least.
    """
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
    return collect(url, notes)
