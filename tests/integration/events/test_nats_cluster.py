"""Events in a stream that three NATS servers have."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import nats
import nats.errors
import nats.js.errors
import pytest

from nexus.config.event_engine import parse_engine
from nexus.data.url import DatabaseUrl
from nexus.errors import EventEngineUnavailable
from nexus.events.engines.nats import NatsJournal
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
_SERVERS: Final = range(3)
_PATIENCE: Final = 60.0
_ENOUGH: Final = 2_000


class Cluster:
    """Three servers."""

    def __init__(self, folder: Path) -> None:
        with ExitStack() as stack:
            free = [stack.enter_context(_free()) for _ in range(6)]
            found = [each.getsockname()[1] for each in free]
        self._folder, self._ports, self._routes = folder, found[:3], found[3:]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{each}" for each in self._ports)

    def start(self, at: int) -> None:
        routes = ",".join(f'"nats://127.0.0.1:{each}"' for each in self._routes)
        settings = self._folder / f"{at}.conf"
        settings.write_text(
            f'server_name: n{at}\nlisten: "127.0.0.1:{self._ports[at]}"\n'
            f'jetstream {{ store_dir: "{self._folder}/data{at}" }}\n'
            f'cluster {{ name: c, listen: "127.0.0.1:{self._routes[at]}", routes: [{routes}] }}\n'
        )
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program is not None
        with (self._folder / f"log{at}").open("ab") as log:
            self._processes[at] = subprocess.Popen(
                [program, "-c", str(settings)], stdout=log, stderr=log
            )

    def stop(self, at: int) -> None:
        process = self._processes.pop(at, None)
        if process is not None:
            process.kill()
            process.wait()

    async def ready(self) -> None:
        """Wait until it makes streams with three replicas."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    client = await nats.connect(self.url.split(","), allow_reconnect=False)
                    try:
                        await client.jetstream(timeout=2).add_stream(
                            name="probe", subjects=["probe"], num_replicas=3
                        )
                    finally:
                        await client.close()
                    break
                except (nats.errors.Error, OSError, TimeoutError):
                    await asyncio.sleep(0.2)


def _free() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
async def cluster(tmp_path: Path, nats_server: Any) -> AsyncIterator[Cluster]:
    nats_server.stop()  # it was there to tell that the program is
    made = Cluster(tmp_path)
    for at in _SERVERS:
        made.start(at)
    await made.ready()
    yield made
    for at in _SERVERS:
        made.stop(at)


@pytest.fixture
async def place(cluster: Cluster, tmp_path: Path, make_broker_store: Any) -> AsyncIterator[Any]:
    """A store whose stream is made with three replicas."""
    url = DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
    store = make_broker_store("nats", url, cluster.url)
    store.journal = lambda database: NatsJournal(
        parse_engine(cluster.url), database, stream=store.stream, replicas=3
    )
    yield store
    await store.close()


async def _leader(log: Any) -> str:
    connection, stream = log.journal._connection, log.journal._stream.name
    async with asyncio.timeout(_PATIENCE):
        while True:
            with suppress(nats.errors.Error, TimeoutError):
                info = await connection.js.stream_info(stream)
                if info.cluster.leader and len(info.cluster.replicas or []) == 2:
                    return str(info.cluster.leader)
            await asyncio.sleep(0.1)


async def _hears_at_once(hands: Any, log: Any, found: list[Any]) -> list[float]:
    """Publish one event after another, and give how long each took to be delivered."""
    times = []
    for number in range(40):
        began = time.monotonic()
        await hands.append(log, number)
        async with asyncio.timeout(_PATIENCE):
            while len(found) <= number:
                await asyncio.sleep(0.002)
        times.append(time.monotonic() - began)
    return sorted(times)


async def _publish(hands: Any, log: Any, number: int, done: list[int]) -> None:
    """Publish until there are enough, and note what was acknowledged."""
    while len(done) < _ENOUGH:
        try:
            await hands.append(log, number)
            done.append(number)
        except EventEngineUnavailable:
            await asyncio.sleep(0.05)
        number += 4


async def test_others_hear_at_once_and_nothing_is_lost_when_the_leader_is_killed(
    cluster: Cluster, place: Any, hands: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here = await place.open(lease=2.0)
    there = await place.open(lease=2.0)
    await here.declare("mail", ["user.*"])
    leader = await _leader(here)
    async with hands.fetching(here.stream(KEY)) as found:
        times = await _hears_at_once(hands, there, found)
        # A replica that is late is no trouble, and is not waited for.
        assert not any("cannot be read" in each for each in caplog.messages)
        assert times[20] < 0.5
        done: list[int] = []
        publishing = [
            asyncio.create_task(_publish(hands, (here, there)[each % 2], 1000 + each, done))
            for each in range(4)
        ]
        async with asyncio.timeout(_PATIENCE):
            while len(done) < _ENOUGH / 4:
                await asyncio.sleep(0.01)
        cluster.stop(int(leader[1:]))
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*publishing)
            while not set(done) <= set(hands.numbers(found)):
                await asyncio.sleep(0.05)
    assert await _leader(here) != leader
