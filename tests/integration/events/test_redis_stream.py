"""What is particular to events in a Redis stream."""

from typing import Any

import pytest
import redis.asyncio

from nexus.config.event_engine import parse_engine
from nexus.errors import EventEngineUnavailable
from nexus.events.engines.redis.connection import Connection
from nexus.events.log import SubscriptionKey

pytestmark = pytest.mark.parametrize("engine", ["redis"], indirect=True)

KEY = SubscriptionKey("mail", "user.*")


@pytest.mark.parametrize("place", ["*", "ahead"])
async def test_what_others_put_into_the_stream_stops_nobody(
    store: Any, hands: Any, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = await store.open(alone=True)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    client = redis.asyncio.Redis.from_url(store.server.url)
    try:
        ahead = f"{await log.journal.end() + 10**12}-3"
        entry = ahead if place == "ahead" else place
        await client.xadd(f"{{{store.stream}}}:events", {"hello": "you"}, id=entry)
    finally:
        await client.aclose()
    await hands.append(log, 2, 3)
    found = await hands.fetch(log.stream(KEY), 3)
    assert hands.numbers(found) == [1, 2, 3]
    assert hands.numbers(await log.read(newest=True)) == [3, 2, 1]
    assert hands.numbers([await log.find(found[0].id)]) == [1]
    assert [each.waiting for each in await log.lag()] == [3]
    first = await log.journal.position_at(found[1].time_ns)
    assert found[0].position < first <= found[1].position
    assert "The stream has entries that are no events of this application" in caplog.text


async def test_a_wrong_password_is_told_in_sentences_with_one_full_stop_each(store: Any) -> None:
    connection = Connection(parse_engine(store.server.url.replace("://", "://nobody:canary@")))
    connection.open()
    try:
        refused = pytest.raises(EventEngineUnavailable, match="refuses the password")
        with refused as caught, connection.translated():
            await connection().ping()
    finally:
        await connection.close()
    message = str(caught.value)
    assert not caught.value.passing
    assert ".. " not in message
    assert ". Expected a server" in message
    assert "canary" not in message
