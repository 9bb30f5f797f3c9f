"""What every engine promises while its store is away, and after that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus.data.database import Limits
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import DatabaseUnavailable, EventEngineUnavailable
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
LIMITS = Limits(pool_timeout=1.0)
_PORTS = {"nats": 4222, "redis": 6379}
SERVERS = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
BEHIND_A_WIRE = pytest.mark.parametrize(
    "engine", ["postgresql", "mariadb", "nats", "redis"], indirect=True
)


class Wire:
    """What lies between a process and a server: it can be cut, and it can lose an answer."""

    def __init__(self, host: str, port: int) -> None:
        self._there = host, port
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.loses: bytes = b""
        self.after: bytes = b""

    async def lay(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection(*self._there)
        ends = (writer, to_there)
        self._ends.update(ends)
        asked = bytearray()
        for work in (self._ask(reader, to_there, asked), self._answer(there, ends, asked)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytearray
    ) -> None:
        try:
            while data := await reader.read(65536):
                asked += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def _answer(
        self,
        reader: asyncio.StreamReader,
        ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        asked: bytearray,
    ) -> None:
        writer, to_there = ends
        has_asked = False
        try:
            while data := await reader.read(65536):
                # What others do at the same time is none of the test's.
                has_asked = has_asked or (bool(self.after) and self.after in asked)
                is_meant = has_asked or not self.after
                if self.loses and self.loses in asked and is_meant:
                    self.loses = b""
                    break
                asked.clear()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            to_there.transport.abort()
            self._ends.difference_update(ends)


class Frail:
    """A store that can be away."""

    def __init__(self, store: Any, cut: Callable[[], Any], mend: Callable[[], Any]) -> None:
        self.store, self.cut, self.mend = store, cut, mend
        self.wire: Wire | None = None

    async def open(self, **settings: Any) -> Any:
        return await self.store.open(limits=LIMITS, **{"alone": True, "lease": 0.3, **settings})


@pytest.fixture
async def frail(
    engine: str, tmp_path: Path, new_database: Any, make_store: Any, make_broker_store: Any
) -> AsyncIterator[Frail]:
    """The store, and what is between it and its processes."""
    async with AsyncExitStack() as stack:
        if engine == "sqlite":
            path, elsewhere = tmp_path / "nexus.db", tmp_path / "elsewhere.db"

            async def cut() -> None:
                path.rename(elsewhere)

            async def mend() -> None:
                elsewhere.rename(path)

            store = make_store(DatabaseUrl(engine="sqlite", path=str(path)))
            stack.push_async_callback(store.close)
            yield Frail(store, cut, mend)
            return
        if engine in _PORTS:
            wire = Wire("127.0.0.1", _PORTS[engine])
            await wire.lay()
            url = DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
            store = make_broker_store(engine, url, f"{engine}://127.0.0.1:{wire.port}")
            stack.push_async_callback(store.remove)
        else:
            url = parse_url(await stack.enter_async_context(new_database(engine)))
            wire = Wire(url.host, url.port)
            await wire.lay()
            store = make_store(replace(url, port=wire.port))
        stack.push_async_callback(wire.cut)
        stack.push_async_callback(store.close)
        made = Frail(store, wire.cut, wire.lay)
        made.wire = wire
        yield made


async def test_publishing_fails_loudly_while_the_store_is_away(frail, hands):
    log = await frail.open()
    await log.declare("mail", ["user.*"])
    await frail.cut()
    with pytest.raises((DatabaseUnavailable, EventEngineUnavailable)):
        await log.append(Event("user.created", {"n": 1}))
    await frail.mend()
    assert await hands.nothing_comes(log.stream(KEY), log)


async def test_publishing_waits_until_the_store_is_back(frail, hands):
    log = await frail.open(when_away="wait", publish_timeout=60.0)
    await log.declare("mail", ["user.*"])
    await frail.cut()
    appending = [
        asyncio.ensure_future(log.append(Event("user.created", {"n": n}))) for n in range(3)
    ]
    await asyncio.sleep(0.3)
    assert not any(each.done() for each in appending)
    await frail.mend()
    await asyncio.gather(*appending)
    assert hands.numbers(await hands.fetch(log.stream(KEY), 3)) == [0, 1, 2]


async def test_publishing_waits_no_longer_than_it_is_told_to(frail):
    log = await frail.open(when_away="wait", publish_timeout=0.3)
    await log.declare("mail", ["user.*"])
    await frail.cut()
    with pytest.raises((DatabaseUnavailable, EventEngineUnavailable)):
        await log.append(Event("user.created", {}))
    await frail.mend()


@BEHIND_A_WIRE
async def test_an_append_whose_answer_was_lost_is_not_written_twice(frail, hands):
    log = await frail.open(when_away="wait", publish_timeout=60.0)
    await log.declare("mail", ["user.*"])
    async with hands.fetching(log.stream(KEY)) as found:
        frail.wire.after = b"user.created"
        frail.wire.loses = b"COMMIT" if frail.store.engine == "mariadb" else b"user.created"
        await hands.append(log, 1)
        assert frail.wire.loses == b""
        await hands.append(log, 2)
        async with asyncio.timeout(20):
            while len(found) < 2:
                await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1, 2]
    assert hands.numbers(await log.read()) == [1, 2]


@BEHIND_A_WIRE
async def test_an_event_whose_publishing_failed_by_a_lost_answer_is_delivered(frail, hands):
    log = await frail.open()
    await log.declare("mail", ["user.*"])
    async with hands.fetching(log.stream(KEY)) as found:
        frail.wire.after = b"user.created"
        frail.wire.loses = b"COMMIT" if frail.store.engine == "mariadb" else b"user.created"
        with pytest.raises((DatabaseUnavailable, EventEngineUnavailable)):
            await hands.append(log, 1)
        async with asyncio.timeout(20):
            while not found:
                await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1]


async def test_acknowledgments_are_kept_and_stored_when_the_store_is_back(frail, hands, letter):
    log = await frail.open()
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1, 2, 3)
    stream = log.stream(KEY)
    events = await hands.fetch(stream, 3)
    await frail.cut()
    stream.acknowledge(events[0])
    stream.acknowledge(events[2])
    stream.bury(letter(KEY, events[1]))
    await asyncio.sleep(0.1)
    await frail.mend()
    async with asyncio.timeout(20):
        while True:
            try:
                [lag] = await log.lag()
            except DatabaseUnavailable:
                lag = None
            if lag is not None and (lag.waiting, lag.dead) == (0, 1):
                break
            await asyncio.sleep(0.05)
    await log.close()
    again = await frail.open()
    assert await hands.nothing_comes(again.stream(KEY), again)


@SERVERS
@pytest.mark.parametrize("lost", [b"last_position = ", b"nexus_event_letters", b"COMMIT"])
async def test_acknowledgments_whose_answer_was_lost_are_stored_once(frail, hands, letter, lost):
    log = await frail.open()
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1, 2)
    stream = log.stream(KEY)
    events = await hands.fetch(stream, 2)
    frail.wire.loses = lost
    stream.acknowledge(events[0])
    stream.bury(letter(KEY, events[1]))
    async with asyncio.timeout(20):
        while True:
            try:
                [lag] = await log.lag()
            except DatabaseUnavailable:
                lag = None
            if lag is not None and (lag.waiting, lag.dead) == (0, 1):
                break
            await asyncio.sleep(0.05)
    assert frail.wire.loses == b""
    assert log.figures()["refused_acknowledgements_total"] == 0
    await hands.append(log, 3)
    await hands.fetch(stream, 1, acknowledge=True)
    await log.close()
    again = await frail.open()
    assert await hands.nothing_comes(again.stream(KEY), again)


async def test_streams_go_on_when_the_store_is_back(frail, hands):
    log = await frail.open()
    await log.declare("mail", ["user.*"])
    async with hands.fetching(log.stream(KEY)) as found:
        await hands.append(log, 1)
        async with asyncio.timeout(20):
            while not found:
                await asyncio.sleep(0.01)
        await frail.cut()
        await asyncio.sleep(0.5)
        await frail.mend()
        async with asyncio.timeout(20):
            while len(found) < 2:
                try:
                    await hands.append(log, 2)
                except DatabaseUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    break
            while len(found) < 2:
                await asyncio.sleep(0.01)
    assert hands.numbers(found) == [1, 2]


@SERVERS
async def test_a_process_that_is_cut_off_hands_its_subscriptions_on(frail, hands, make_store):
    log = await frail.open(alone=False)
    await log.declare("mail", ["user.*"])
    url = replace(frail.store.url, port=frail.wire._there[1])
    elsewhere = make_store(url)
    other = await elsewhere.open(lease=0.3)
    async with (
        hands.fetching(log.stream(KEY)) as found,
        hands.fetching(other.stream(KEY)) as by_other,
    ):
        await hands.append(log, 1)
        async with asyncio.timeout(20):
            while not [*found, *by_other]:
                await asyncio.sleep(0.01)
            await frail.cut()
            await hands.append(other, 2)
            while 2 not in hands.numbers(by_other):
                await asyncio.sleep(0.01)
            await frail.mend()
            await hands.append(other, 3)
            while 3 not in hands.numbers([*found, *by_other]):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
    assert max(hands.numbers([*found, *by_other])) == 3
    assert hands.numbers([*found, *by_other]).count(3) == 1
    await elsewhere.close()


@pytest.mark.parametrize("engine", ["nats"], indirect=True)
async def test_an_event_that_is_stored_is_no_failure_when_nobody_can_be_told(log, monkeypatch):
    await log.declare("mail", ["user.*"])
    journal, connection = log.journal, log.journal._connection
    publish, client = journal._publishing.publish, connection._client

    async def then_lost(rows):
        positions = await publish(rows)
        connection._client = None
        return positions

    monkeypatch.setattr(journal._publishing, "publish", then_lost)
    try:
        await log.append(Event("user.created", {"n": 1}))
    finally:
        connection._client = client
    assert [event.data["n"] for event in await log.read()] == [1]
