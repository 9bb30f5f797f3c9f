"""What every engine promises whose server may lose what the database still has cursors for."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import nats
import pytest
import redis.asyncio
from typing_extensions import override

from nexus.errors import EventEngineUnavailable, EventJournalTaken
from nexus.events.log import SubscriptionKey

pytestmark = pytest.mark.parametrize("engine", ["nats", "redis"], indirect=True)

KEY = SubscriptionKey("mail", "user.*")
LOST = "The event log has lost its end; what was published last may be gone"
ANEW = "The event log was made anew; what waited in the one before is lost"


class Frail(ABC):
    """A store whose server can lose what it has."""

    def __init__(self, store: Any) -> None:
        self.store = store

    @abstractmethod
    async def save(self) -> None:
        """Keep a copy of what the server has."""

    @abstractmethod
    async def lose_the_rest(self) -> None:
        """Have the server come back with the copy."""

    @abstractmethod
    async def lose_all(self) -> None:
        """Remove the stream."""


class FrailNats(Frail):
    def __init__(self, store: Any, server: Any) -> None:
        super().__init__(store)
        self._server = server

    @override
    async def save(self) -> None:
        self._server.save()

    @override
    async def lose_the_rest(self) -> None:
        self._server.restore()

    @override
    async def lose_all(self) -> None:
        client = await nats.connect(self._server.url)
        await client.jetstream().delete_stream(self.store.stream)
        await client.close()


class FrailRedis(Frail):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._keys = tuple(f"{{{store.stream}}}:{each}" for each in ("events", "about"))
        self._copy: tuple[Any, ...] = ()

    @override
    async def save(self) -> None:
        async with redis.asyncio.Redis.from_url(self.store.server.url) as client:
            self._copy = tuple([await client.dump(each) for each in self._keys])

    @override
    async def lose_the_rest(self) -> None:
        async with redis.asyncio.Redis.from_url(self.store.server.url) as client:
            for key, value in zip(self._keys, self._copy, strict=True):
                await client.restore(key, 0, value, replace=True)

    @override
    async def lose_all(self) -> None:
        async with redis.asyncio.Redis.from_url(self.store.server.url) as client:
            await client.delete(*self._keys)


@pytest.fixture
def frail(engine: str, request: pytest.FixtureRequest) -> Frail:
    """A store, and what happens to its server."""
    if engine == "nats":
        server = request.getfixturevalue("nats_server")
        return FrailNats(request.getfixturevalue("own_nats"), server)
    return FrailRedis(request.getfixturevalue("store"))


@pytest.fixture
def append(hands: Any) -> Callable[..., Any]:
    """Publish, as often as it takes: the server may be on its way back."""

    async def append(log: Any, *numbers: int) -> None:
        for number in numbers:
            async with asyncio.timeout(60):
                while True:
                    try:
                        await hands.append(log, number)
                        break
                    except EventEngineUnavailable:
                        await asyncio.sleep(0.05)

    return append


async def _lose(frail: Frail, hands: Any, append: Any, log: Any) -> None:
    """Have ten events handled that the server then does not know any more."""
    await log.declare("mail", ["user.*"])
    await append(log, *range(5))
    await frail.save()
    await append(log, *range(5, 15))
    await hands.fetch(log.stream(KEY), 15, acknowledge=True)
    await log.acknowledgements.flush()
    await frail.lose_the_rest()


async def _all_come(hands: Any, found: list[Any], *numbers: int) -> None:
    async with asyncio.timeout(60):
        while not set(numbers) <= set(hands.numbers(found)):
            await asyncio.sleep(0.02)


async def test_what_is_published_after_the_end_was_lost_is_delivered(
    frail: Frail, hands: Any, append: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = await frail.store.open(alone=True, lease=1.0)
    await _lose(frail, hands, append, log)
    async with hands.fetching(log.stream(KEY)) as found:
        await append(log, 101, 102, 103)
        await _all_come(hands, found, 101, 102, 103)
        # And so is what takes the very places of what was lost last.
        await append(log, *range(200, 220))
        await _all_come(hands, found, *range(200, 220))
    later = [number for number in hands.numbers(found) if number >= 200]
    assert later == list(range(200, 220))
    if frail.store.engine == "nats":  # in Redis nothing takes the place of what was lost
        assert caplog.messages.count(LOST) == 1
        assert LOST in log.condition.lost
    [lag] = await log.lag()
    assert lag.waiting == 0


async def test_what_is_published_after_the_end_was_lost_survives_a_restart(
    frail: Frail, hands: Any, append: Any
) -> None:
    log = await frail.store.open(alone=True, lease=60.0)
    await _lose(frail, hands, append, log)
    await append(log, 101, 102, 103)
    await frail.store.close()
    log = await frail.store.open(alone=True)
    async with hands.fetching(log.stream(KEY)) as found:
        await _all_come(hands, found, 101, 102, 103)


async def test_what_was_in_hand_when_the_end_was_lost_is_not_taken_for_what_is_new(
    frail: Frail, hands: Any, append: Any, letter: Any
) -> None:
    log = await frail.store.open(alone=True, lease=1.0)
    await log.declare("mail", ["user.*"])
    await append(log, *range(5))
    await frail.save()
    await append(log, *range(5, 15))
    stream = log.stream(KEY)
    in_hand = await hands.fetch(stream, 15)
    await frail.lose_the_rest()
    async with asyncio.timeout(60):
        while not log.condition.lost:
            await asyncio.sleep(0.02)
    again = await hands.fetch(stream, 5, acknowledge=True)
    assert hands.numbers(again) == list(range(5))
    for event in in_hand[:12]:
        stream.acknowledge(event)
    stream.bury(letter(KEY, in_hand[12]))
    stream.release(in_hand[13])
    await append(log, *range(101, 121))
    assert hands.numbers(await hands.fetch(stream, 20)) == list(range(101, 121))
    await log.acknowledgements.flush()
    assert await log.letters() == []
    await frail.store.abandon(log)
    log = await frail.store.open(alone=True)  # what was new is not taken for handled
    again = await hands.fetch(log.stream(KEY), 20, acknowledge=True)
    assert hands.numbers(again) == list(range(101, 121))


async def test_each_process_notices_that_the_end_was_lost(
    frail: Frail, hands: Any, append: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = await frail.store.open(lease=1.0), await frail.store.open(lease=1.0)
    await _lose(frail, hands, append, here)
    async with hands.fetching(here.stream(KEY)) as one, hands.fetching(there.stream(KEY)) as other:
        for number in range(101, 121, 2):
            await append(here, number)
            await append(there, number + 1)
        async with asyncio.timeout(60):
            while not set(range(101, 121)) <= {*hands.numbers(one), *hands.numbers(other)}:
                await asyncio.sleep(0.02)
    if frail.store.engine == "nats":
        assert LOST in caplog.messages
        assert LOST in here.condition.lost or LOST in there.condition.lost


async def test_a_stream_that_is_made_anew_is_gone_on_with(
    frail: Frail, hands: Any, append: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here = await frail.store.open(lease=1.0)
    await here.declare("mail", ["user.*"])
    async with hands.fetching(here.stream(KEY)) as found:
        await append(here, *range(8))
        await _all_come(hands, found, *range(8))
        await frail.lose_all()
        there = await frail.store.open(lease=1.0)
        await append(there, 101)
        await append(here, 102)
        await _all_come(hands, found, 101, 102)
        assert ANEW in caplog.messages
        await frail.lose_all()  # and now nobody starts
        await append(here, 201)
        await append(there, 202)
        await _all_come(hands, found, 201, 202)
        async with asyncio.timeout(60):
            while ANEW not in here.condition.lost:
                await asyncio.sleep(0.02)


async def test_a_stream_that_another_application_has_made_meanwhile_is_left_to_it(
    frail: Frail, hands: Any, tmp_path: Any, make_broker_store: Any
) -> None:
    log = await frail.store.open(alone=True, lease=1.0)
    await hands.append(log, 1)
    await frail.store.freeze(log)  # or it were quicker
    await frail.lose_all()
    url = frail.store.url.__class__(engine="sqlite", path=str(tmp_path / "other.db"))
    other = make_broker_store(frail.store.engine, url, frail.store.server.url)
    other.stream = frail.store.stream
    await other.open(alone=True)
    with pytest.raises(EventJournalTaken):
        await log.reach.check()
    await other.close()
