"""What is particular to events in a JetStream stream of NATS."""

import asyncio
from pathlib import Path
from typing import Any

import nats
import pytest

from nexus.config.event_engine import parse_engine
from nexus.data.url import DatabaseUrl
from nexus.errors import EventEngineUnavailable, EventJournalTaken, NexusError
from nexus.events.engines.nats import NatsJournal
from nexus.events.engines.nats import searching as searching_module
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")


@pytest.fixture
def engine() -> str:
    return "nats"


# What others do with the stream


async def test_messages_that_are_deleted_or_strange_stop_nobody(
    store: Any, hands: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    events = await hands.append(log, 1, 2, 3)
    await store.close()
    client = await nats.connect(store.server.url)
    await client.jetstream().delete_msg(store.stream, 2)
    for payload in (b"hello", b"", b"[1]", b'{"id": "x", "name": "user.created"}'):
        await client.jetstream().publish(f"{store.stream}.user.created", payload)
    await client.close()
    log = await store.open(alone=True)
    await hands.append(log, 4)
    stream = log.stream(KEY)
    found = await hands.fetch(stream, 3)
    assert hands.numbers(found) == [1, 3, 4]
    assert hands.numbers(await log.read()) == [1, 3, 4]
    assert hands.numbers(await log.read(newest=True)) == [4, 3, 1]
    assert hands.numbers([await log.find(found[2].id)]) == [4]
    assert await log.find(events[1].id) is None
    first = await log.journal.position_at(found[2].time_ns)
    assert found[1].position < first <= found[2].position
    for event in found:
        stream.acknowledge(event)
    await log.acknowledgements.flush()
    [lag] = await log.lag()
    assert lag.waiting == 0
    strange = "The stream has messages that are no events of this application; they are ignored"
    assert caplog.messages.count(strange) == 1
    deleted = "Somebody has deleted messages from the stream; they are passed over"
    assert caplog.messages.count(deleted) == 1


async def test_a_stream_that_took_the_place_of_ours_stores_nothing_of_it(
    store: Any, hands: Any
) -> None:
    log = await store.open(alone=True, lease=60.0)
    await log.declare("mail", ["user.*"])
    await store.freeze(log)  # or the stream would be made anew
    client = await nats.connect(store.server.url)
    js = client.jetstream()
    await js.delete_stream(store.stream)
    await js.add_stream(name=f"{store.stream}-2", subjects=[f"{store.stream}.>"])
    try:
        with pytest.raises(EventEngineUnavailable, match=f"{store.stream}-2' has taken it"):
            await hands.append(log, 1)
        with pytest.raises(EventEngineUnavailable, match="subjects overlap") as refusal:
            await log.journal.landmarks.identify()
        assert refusal.value.data["passing"] is False
    finally:
        await js.delete_stream(f"{store.stream}-2")
        await client.close()


async def test_of_two_applications_that_begin_at_once_one_has_the_stream(
    store: Any, tmp_path: Path, make_broker_store: Any
) -> None:
    stores = [
        make_broker_store(
            "nats", DatabaseUrl(engine="sqlite", path=str(tmp_path / f"{n}.db")), store.server.url
        )
        for n in range(3)
    ]
    for each in stores:
        each.stream = store.stream
    opened = await asyncio.gather(
        *(each.open(alone=True) for each in stores), return_exceptions=True
    )
    for each in stores:
        await each.close()
    errors = [each for each in opened if isinstance(each, BaseException)]
    assert [type(each) for each in errors] == [EventJournalTaken, EventJournalTaken]


async def test_replicas_are_asked_for_and_are_refused_where_there_is_no_cluster(
    own_nats: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def journal_of(database: Any) -> NatsJournal:
        server = parse_engine(own_nats.server.url)
        return NatsJournal(server, database, stream=own_nats.stream, replicas=3)

    made = own_nats.journal
    own_nats.journal = journal_of
    with pytest.raises(EventEngineUnavailable, match="replicas > 1 not supported") as refusal:
        await own_nats.open(alone=True)
    assert refusal.value.data["passing"] is False
    own_nats.journal = made
    await own_nats.open(alone=True)
    own_nats.journal = journal_of
    await own_nats.open(alone=True)
    assert any("another number of replicas" in each for each in caplog.messages)


# Large and far


async def test_pages_of_large_events_are_small(
    store: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    text = "x" * 250_000
    for number in range(100):
        await log.append(Event("user.created", {"n": number, "text": text}))
    await store.close()
    log = await store.open(alone=True)
    reading = log.journal._reading
    ask, sizes = reading._ask, []

    async def watched(positions: Any) -> Any:
        sizes.append(len(positions))
        return await ask(positions)

    monkeypatch.setattr(reading, "_ask", watched)
    events, following = await log.journal.page(
        1, 100
    )  # from here on it is known how large they are
    assert hands.numbers(events) == list(range(following - 1))
    assert len(events) < 100
    sizes.clear()
    events, _ = await log.journal.page(following, 100)
    assert hands.numbers(events) == list(range(following - 1, following - 1 + len(events)))
    assert max(sizes) <= 8  # about 2 MB are on their way
    assert len(events) <= 40
    found = await hands.fetch(log.stream(KEY), 100)
    assert hands.numbers(found) == list(range(100))
    assert [each.data["n"] for each in await log.read(newest=True, limit=3)] == [99, 98, 97]


async def test_the_lag_of_a_far_event_reads_nothing_in_between(
    store: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await log.declare("shop", ["order.*"])
    await asyncio.gather(*(log.append(Event("order.made", {"n": n})) for n in range(600)))
    [event] = await hands.append(log, 1)

    async def never(*_positions: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(log.journal._reading, "_ask", never)
    lags = {each.key.plugin: each for each in await log.lag()}
    assert (lags["mail"].waiting, lags["shop"].waiting) == (1, 600)
    assert lags["mail"].oldest < lags["shop"].oldest
    monkeypatch.undo()
    assert await log.find(event.id) is not None


async def test_an_event_is_found_without_reading_those_long_before_it(
    store: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching_module, "_PAGE", 10)
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    events = await hands.append(log, *range(100))
    await asyncio.sleep(0.25)  # more than those are apart that are published together
    late = Event("user.created", {"n": 100})
    delayed = Event("user.created", {"n": 101})
    await hands.append(log, *range(200, 250))
    await log.append(delayed)
    await log.append(late)
    reading = log.journal._reading
    ask, asked = reading._ask, []

    async def watched(positions: Any) -> Any:
        asked.extend(positions)
        return await ask(positions)

    monkeypatch.setattr(reading, "_ask", watched)
    for event in (late, delayed, events[50], events[99]):
        found = await log.find(event.id)
        assert (found.id, found.position) == (event.id, event.position)
        if event in (late, delayed):
            assert min(asked) > 100
    asked.clear()
    assert await log.find("no-such-id") is None
    assert await log.find(Event("user.created", {}).id) is None
    assert len(asked) == 2 * 152


async def test_cancelled_work_leaves_nothing_behind(store: Any, hands: Any) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, *range(50))
    for turn in range(100):
        work = [log.read(limit=20), log.lag(), log.append(Event("user.created", {"n": -1}))]
        tasks = [asyncio.ensure_future(each) for each in work]
        await asyncio.sleep(turn * 0.00004)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert not isinstance(outcome, NexusError)
    journal = log.journal
    async with asyncio.timeout(60):
        while (
            journal._connection._waiting or journal._reading._asked or journal._publishing._batches
        ):
            await asyncio.sleep(0.02)
    assert hands.numbers(await log.read(limit=50)) == list(range(50))
