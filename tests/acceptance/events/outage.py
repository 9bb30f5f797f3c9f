"""Takes the database server away from a process that publishes and handles."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from tests.acceptance.events.broker import PrivateBroker
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
    """Stop the database's server for a while, with events before, meanwhile and afterwards.

    Args:
        server: The server, which runs.
        notes: The folder for the notes; it is made.
        seed: What decides about pauses.
        when_away: What publishing does meanwhile.
        how: How it is stopped.
        seconds: How long it is away, at least.
    """
    orders = Orders(
        url=f"postgresql://nexus:{quote(PASSWORD)}@127.0.0.1:{server.port}/nexus",
        folder=str(notes),
        alone=False,
        when_away=when_away,
        publish_timeout=seconds + 30,
        pool_timeout=0.5,
    )
    return _away(
        orders,
        seed,
        seconds,
        stop=lambda: server.stop(how),
        start=lambda: asyncio.run(server.start()),
    )


def broker_away(
    broker: PrivateBroker, folder: Path, seed: int, when_away: str, seconds: float
) -> Evidence:
    """Kill the server that has the events, and start it after a while; see `away`."""
    orders = Orders(
        url=f"sqlite:///{folder}/events.db",
        folder=str(folder / "notes"),
        engine=broker.url,
        when_away=when_away,
        publish_timeout=seconds + 30,
    )
    return _away(orders, seed, seconds, stop=broker.stop, start=broker.start)


def _away(
    orders: Orders,
    seed: int,
    seconds: float,
    *,
    stop: Callable[[], None],
    start: Callable[[], None],
) -> Evidence:
    notes = Path(orders.folder)
    notes.mkdir()
    prepare(orders.url)
    with crowd(replace(orders, events=1_000_000, pause=0.02), seed) as processes:
        process = processes.start()
        wait_for(notes, "acknowledged", 300)
        stop()
        if orders.when_away == "fail" or orders.engine == "sql":
            wait_for(notes, "refused", 1)
        time.sleep(seconds)
        start()
        wait_for(notes, "acknowledged", 300)
        process.stop_publishing()
        process.finish()
        processes.alive.clear()
    return collect(orders)
