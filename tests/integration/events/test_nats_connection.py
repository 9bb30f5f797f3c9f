"""What a NATS server refuses, and what becomes of the connection."""

import asyncio
import signal
from typing import Any
from urllib.parse import unquote

import pytest

from nexus.config.event_engine import parse_engine
from nexus.errors import EventEngineUnavailable, EventTooLarge
from nexus.events.durable.rows import row_of
from nexus.events.engines.nats import connection as connection_module
from nexus.events.engines.nats.messages import payload_of
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
LOCKED = 'authorization { user: "shop", password: "b" }'


@pytest.fixture
def engine() -> str:
    return "nats"


async def all_come(hands: Any, found: list[Any], *numbers: int) -> None:
    async with asyncio.timeout(60):
        while not set(numbers) <= set(hands.numbers(found)):
            await asyncio.sleep(0.02)


async def append_until_it_works(hands: Any, log: Any, number: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await hands.append(log, number)
                break
            except EventEngineUnavailable:
                await asyncio.sleep(0.05)


async def test_an_event_that_the_server_does_not_take_fails_alone(
    nats_server: Any, own_nats: Any, hands: Any
) -> None:
    nats_server.restart("max_payload: 65536")
    log = await own_nats.open(alone=True, publish_timeout=60.0)
    await log.declare("mail", ["user.*"])
    database = own_nats.database(log)

    async def publish(number: int, size: int = 0) -> None:
        await log.append(Event("user.created", {"n": number, "text": "ü" * size}))

    outcomes = await asyncio.gather(
        publish(0), publish(1, 40_000), publish(2), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [type(None), EventTooLarge, type(None)]
    assert "65536 bytes as JSON, which is the limit (max_payload in NATS)" in str(outcomes[1])

    with pytest.raises(EventTooLarge):
        async with database.transaction():
            await publish(3, 40_000)
    async with database.transaction():
        await publish(4)
        with pytest.raises(EventTooLarge):
            await publish(5, 40_000)
    await publish(6)
    found = await hands.fetch(log.stream(KEY), 4)
    assert hands.numbers(found) == [0, 2, 4, 6]

    # With its headers, the largest takes just what the server takes.
    interruptions: list[int] = []
    log.journal.landmarks.when_interrupted(lambda: interruptions.append(1))
    room = 65536 - len(payload_of(row_of(Event("user.created", {"text": ""}))))
    taken = []
    for size in range(room - 70, room + 1):
        try:
            await log.append(Event("user.created", {"text": "x" * size}))
            taken.append(size)
        except EventTooLarge:
            break
    assert len(taken) in range(1, 71)
    assert not interruptions


async def test_nothing_is_put_in_before_it_was_looked_at_what_a_server_still_has(
    nats_server: Any, own_nats: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await own_nats.open(alone=True, when_away="wait", publish_timeout=60.0)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    seen: list[str] = []
    journal = log.journal
    end, publish = journal.end, journal._publishing.publish

    async def watched_end(*given: Any) -> Any:
        found = await end(*given)
        seen.append("looked")
        return found

    async def watched_publish(rows: Any) -> Any:
        seen.append("published")
        return await publish(rows)

    client = journal._connection._client
    nats_server.stop()
    async with asyncio.timeout(60):
        while not client.is_closed:
            await asyncio.sleep(0.02)
    monkeypatch.setattr(journal, "end", watched_end)
    monkeypatch.setattr(journal._publishing, "publish", watched_publish)
    nats_server.start()
    await hands.append(log, 2)
    assert seen[0] == "looked"
    assert "published" in seen


@pytest.mark.parametrize("how", ["reload", "restart"])
async def test_a_server_that_refuses_for_a_while_is_reached_again(
    nats_server: Any, own_nats: Any, hands: Any, how: str
) -> None:
    log = await own_nats.open(alone=True)
    await log.declare("mail", ["user.*"])
    change = getattr(nats_server, how)
    async with hands.fetching(log.stream(KEY)) as found:
        await hands.append(log, 1)
        change(LOCKED)
        async with asyncio.timeout(60):
            while True:
                try:
                    await hands.append(log, 2)
                    await asyncio.sleep(0.02)  # it has not read its settings yet
                except EventEngineUnavailable:
                    break
            while log.journal._connection._client.is_connected:
                await asyncio.sleep(0.02)
        change("")
        await append_until_it_works(hands, log, 3)
        await all_come(hands, found, 1, 3)


async def test_a_lost_connection_is_noticed_where_the_library_does_not_tell(
    nats_server: Any, own_nats: Any, hands: Any
) -> None:
    log = await own_nats.open(alone=True)
    await log.declare("mail", ["user.*"])
    interruptions: list[int] = []
    log.journal.landmarks.when_interrupted(lambda: interruptions.append(1))
    client = log.journal._connection._client
    client._closed_cb = None  # as where the end of the connection fails halfway
    nats_server.restart()
    await append_until_it_works(hands, log, 1)
    assert interruptions == [1]
    assert log.journal._connection._client is not client
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [1]


async def test_a_connection_that_the_server_closes_for_an_error_is_made_anew(
    store: Any, hands: Any
) -> None:
    here, there = await store.open(lease=60.0), await store.open(lease=60.0)
    await here.declare("mail", ["user.*"])
    async with hands.fetching(here.stream(KEY)) as found:
        await hands.append(here, 1)
        client = here.journal._connection._client
        client._transport.write(b"NONSENSE\r\n")
        async with asyncio.timeout(60):
            while not client.is_closed:
                await asyncio.sleep(0.02)
        await append_until_it_works(hands, here, 2)
        await hands.append(there, 3)  # what is listened to is listened to again
        await all_come(hands, found, 1, 2, 3)
    assert here.journal._connection._client is not client


async def test_a_frozen_server_hangs_nobody(
    nats_server: Any, own_nats: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await own_nats.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    monkeypatch.setattr(connection_module, "ANSWER", 0.3)
    nats_server.send(signal.SIGSTOP)
    text = "x" * 200_000
    outcomes = await asyncio.gather(
        *(log.append(Event("user.created", {"t": text})) for _ in range(20)),
        log.journal.page(1, 1),
        return_exceptions=True,
    )
    assert {type(each) for each in outcomes} == {EventEngineUnavailable}
    nats_server.send(signal.SIGCONT)
    monkeypatch.undo()
    await append_until_it_works(hands, log, 2)


@pytest.mark.parametrize("word", ["p%40ss%2Fw", "plain"])
async def test_a_password_may_have_any_characters(
    nats_server: Any, own_nats: Any, word: str
) -> None:
    nats_server.restart(f'authorization {{ user: "sh:op", password: "{unquote(word)}" }}')
    own_nats.server = parse_engine(f"nats://sh%3Aop:{word}@127.0.0.1:{nats_server.port}")
    await own_nats.open(alone=True)


@pytest.mark.parametrize("who", ["shop:wrong@", ""])
async def test_a_wrong_password_is_no_passing_trouble(
    nats_server: Any, own_nats: Any, who: str
) -> None:
    nats_server.restart(LOCKED)
    own_nats.server = parse_engine(f"nats://{who}127.0.0.1:{nats_server.port}")
    with pytest.raises(EventEngineUnavailable, match="Authorization Violation") as refusal:
        await own_nats.open(alone=True)
    assert refusal.value.data["passing"] is False
