"""An application that changes the engine of its event log, or loses what one had."""

import asyncio
from typing import Any

import pytest

from nexus.data.database import DEFAULT_LIMITS
from nexus.data.engines.opening import make_database
from nexus.errors import EventEngineChanged, EventEngineUnavailable, EventJournalTaken
from nexus.events.durable.origin import Origin
from nexus.events.durable.outbox_rows import OutboxRows
from nexus.events.engines.sql import SqlJournal
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

pytestmark = pytest.mark.parametrize("engine", ["nats", "redis"], indirect=True)

KEY = SubscriptionKey("mail", "user.*")


@pytest.fixture
async def sql(store: Any, make_store: Any) -> Any:
    """The same database, with its own journal."""
    made = make_store(store.url)
    yield made
    await made.close()


async def test_what_waits_in_the_database_is_not_left_behind(
    store: Any, sql: Any, hands: Any
) -> None:
    log = await sql.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1, 2)
    await sql.close()
    with pytest.raises(EventEngineChanged) as refusal:
        await store.open(alone=True)
    assert "2 events wait in the event log in sql" in str(refusal.value)
    await store.close()

    log = await sql.open(alone=True)
    await hands.fetch(log.stream(KEY), 2, acknowledge=True)
    await sql.close()
    log = await store.open(alone=True)
    await hands.append(log, 3)
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [3]


async def test_nobody_knows_what_waits_in_a_server_that_is_not_asked_any_more(
    store: Any, sql: Any, hands: Any
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    await store.close()
    with pytest.raises(
        EventEngineChanged, match=f"Events may wait in the event log in {store.engine}"
    ):
        await sql.open(alone=True)


async def test_what_waits_elsewhere_is_given_up_when_that_is_meant(
    store: Any, sql: Any, hands: Any
) -> None:
    log = await sql.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    database = sql.database(log)
    journal = store.journal(database)
    await Origin(database, journal, SqlJournal(database)).open(switch=True)
    await journal.close()
    await sql.close()
    log = await store.open(alone=True)
    await hands.append(log, 2)
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [2]


async def test_a_stream_belongs_to_one_application(
    store: Any, make_broker_store: Any, tmp_path: Any
) -> None:
    await store.open(alone=True)
    other = make_broker_store(
        store.engine, type(store.url)(engine="sqlite", path=str(tmp_path / "other.db")), None
    )
    other.stream = store.stream
    with pytest.raises(EventJournalTaken, match="belongs to another application"):
        await other.open(alone=True)
    await other.close()


async def test_a_log_that_was_made_anew_is_told_of_and_delivers_what_is_new(
    store: Any, hands: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1, 2, 3)
    await hands.fetch(log.stream(KEY), 3, acknowledge=True)
    await store.close()
    await store.remove()
    log = await store.open(alone=True)
    assert "The event log was made anew; what waited in the one before is lost" in caplog.messages
    await log.append(Event("user.created", {"n": 4}))
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [4]


async def test_a_log_that_has_lost_its_end_is_told_of_and_goes_on(
    store: Any, hands: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    database = store.database(log)
    await database.execute("UPDATE nexus_event_subscriptions SET last_position = 9000000000000000")
    await store.close()
    log = await store.open(alone=True)
    assert "The event log has lost its end; what was published last may be gone" in caplog.messages
    await hands.append(log, 2)
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [2]


async def test_several_processes_begin_with_an_engine_at_once(store: Any, hands: Any) -> None:
    logs = await asyncio.gather(*(store.open() for _ in range(4)))
    await logs[0].declare("mail", ["user.*"])
    for number, log in enumerate(logs):
        await hands.append(log, number)
    found = await hands.fetch(logs[1].stream(KEY), 4)
    assert hands.numbers(found) == [0, 1, 2, 3]


async def test_what_is_in_the_outbox_goes_to_the_database_with_the_switch(
    store: Any, sql: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])

    async def away(rows: Any) -> Any:
        raise EventEngineUnavailable(engine="x", location="y", reason=f"away with {len(rows)}")

    monkeypatch.setattr(log.journal, "append", away)
    monkeypatch.setattr(log.journal, "append_again", away)
    database = store.database(log)
    async with database.transaction():
        await hands.append(log, 1, 2)
    assert await log.on_the_way() == 2
    await store.close()

    database = make_database(sql.url, limits=DEFAULT_LIMITS)
    await database.open()
    journal = SqlJournal(database)
    await Origin(database, journal, journal).open(switch=True)
    rows = OutboxRows(database)
    assert await rows.count() == 2
    await rows.move_into(journal)
    assert await rows.count() == 0
    await journal.close()
    await database.close()
    log = await sql.open(alone=True)
    found = await hands.fetch(log.stream(KEY), 2)
    assert hands.numbers(found) == [1, 2]
