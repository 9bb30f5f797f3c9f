"""Events of transactions, on their way from the database to another engine."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from nexus.errors import EventEngineUnavailable, EventLogFull
from nexus.events.durable import outbox as outbox_module
from nexus.events.durable.journal import Placed
from nexus.events.durable.rows import EventRow
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

pytestmark = pytest.mark.parametrize("engine", ["nats", "redis"], indirect=True)

KEY = SubscriptionKey("mail", "user.*")


@pytest.fixture
async def log(log: Any) -> Any:
    await log.declare("mail", ["user.*"])
    return log


@pytest.fixture
def database(store: Any, log: Any) -> Any:
    return store.database(log)


async def away(rows: Sequence[EventRow]) -> Placed:
    """Stand in for a journal that cannot be reached."""
    raise EventEngineUnavailable(engine="x", location="y", reason=f"away with {len(rows)}")


async def rows(database: Any) -> int:
    [count] = await database.fetch_one("SELECT count(*) FROM nexus_event_outbox")
    return int(count)


async def test_what_is_published_after_a_transaction_comes_after_it(
    log: Any, database: Any, hands: Any
) -> None:
    for number in range(0, 40, 4):
        async with database.transaction():
            await hands.append(log, number, number + 1)
        await hands.append(log, number + 2, number + 3)
    found = await hands.fetch(log.stream(KEY), 40)
    assert hands.numbers(found) == list(range(40))


async def test_nothing_is_left_in_the_outbox(
    log: Any, database: Any, hands: Any, until: Any
) -> None:
    async with database.transaction():
        await hands.append(log, 1)
    await hands.fetch(log.stream(KEY), 1)

    async def is_empty() -> bool:
        return await rows(database) == 0

    await until(is_empty)
    assert log.outbox.is_idle
    assert log.outbox.relayed == 1


async def test_what_a_process_has_left_behind_is_taken_over_by_another(
    store: Any, hands: Any
) -> None:
    dead, alive = await store.open(lease=0.3), await store.open(lease=0.3)
    await alive.declare("mail", ["user.*"])
    dead.outbox._task.cancel()  # it dies before it could take anything to the journal
    async with store.database(dead).transaction():
        await hands.append(dead, 1, 2)
    await store.abandon(dead)
    assert hands.numbers(await hands.fetch(alive.stream(KEY), 2)) == [1, 2]


async def test_more_than_is_held_in_memory_comes_in_order(
    log: Any, database: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_HELD", 7)
    monkeypatch.setattr(outbox_module, "_BATCH", 3)

    for number in range(0, 60, 3):
        async with database.transaction():
            for part in range(number, number + 3):
                await log.append(Event("user.created", {"n": part}))
    assert hands.numbers(await hands.fetch(log.stream(KEY), 60)) == list(range(60))


async def test_an_event_that_was_put_in_twice_has_one_id(
    store: Any, hands: Any, until: Any
) -> None:
    """A process that dies between the journal and the outbox leaves a row behind."""
    dead, alive = await store.open(lease=0.3), await store.open(lease=0.3)
    await alive.declare("mail", ["user.*"])

    async def remove() -> None:
        await asyncio.Event().wait()

    dead.outbox._remove = remove
    async with store.database(dead).transaction():
        await hands.append(dead, 1)
    [first] = await hands.fetch(alive.stream(KEY), 1, acknowledge=True)
    await store.abandon(dead)

    async def is_empty() -> bool:
        return await rows(store.database(alive)) == 0

    await until(is_empty)
    kept = await alive.read()
    assert {each.id for each in kept} == {first.id}


async def test_publishers_wait_for_what_was_committed_before_and_for_no_more(
    log: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions that commit all the time would keep them waiting for ever."""
    await log.outbox.wait_until_idle()
    append = log.journal.append
    turn = asyncio.Semaphore(0)

    async def slowly(rows: Sequence[EventRow]) -> Placed:
        await turn.acquire()
        placed: Placed = await append(rows)
        return placed

    monkeypatch.setattr(log.journal, "append", slowly)
    monkeypatch.setattr(outbox_module, "_BATCH", 1)
    for number in range(2):
        async with database.transaction():
            await log.append(Event("user.created", {"n": number}))
    publishers = [asyncio.ensure_future(log.append(Event("user.changed", {"n": 2})))]
    await asyncio.sleep(0)
    for number in range(3, 9):
        async with database.transaction():
            await log.append(Event("user.created", {"n": number}))
    monkeypatch.setattr(log._publishing.appender, "_append", append)
    turn.release()
    turn.release()
    async with asyncio.timeout(30):
        await asyncio.gather(*publishers)
    assert not log.outbox.is_idle
    monkeypatch.setattr(log.journal, "append", append)
    for _ in range(10):
        turn.release()


async def test_a_batch_whose_answer_was_lost_is_not_put_in_twice_with_what_came_after_it(
    log: Any, database: Any, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = log.journal.append
    is_there, more = asyncio.Event(), asyncio.Event()

    async def lose(rows: Sequence[EventRow]) -> Placed:
        monkeypatch.setattr(log.journal, "append", append)
        await append(rows)
        is_there.set()
        await more.wait()
        return await away(rows)

    monkeypatch.setattr(log.journal, "append", lose)
    async with database.transaction():
        await hands.append(log, 1)
    await is_there.wait()
    async with database.transaction():
        await hands.append(log, 2)
    more.set()
    async with asyncio.timeout(30):
        await log.outbox.wait_until_idle()
    assert hands.numbers(await log.read()) == [1, 2]


async def test_the_outbox_counts_toward_the_limit_of_the_log(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await store.open(alone=True, size_limit=100_000)
    await log.declare("mail", ["user.*"])
    monkeypatch.setattr(log.journal, "append", away)
    monkeypatch.setattr(log.journal, "append_again", away)

    async def publish() -> None:
        async with store.database(log).transaction():
            await log.append(Event("user.created", {"text": "x" * 10_000}))

    for _ in range(9):
        await publish()
    assert log.condition.is_nearly_full
    await publish()
    with pytest.raises(EventLogFull):
        await publish()
    assert log.condition.is_full


async def test_what_is_taken_over_counts_toward_the_limit_too(store: Any, hands: Any) -> None:
    dead = await store.open(lease=0.3)
    await dead.declare("mail", ["user.*"])
    dead.outbox._task.cancel()
    async with store.database(dead).transaction():
        await dead.append(Event("user.created", {"text": "x" * 10_000}))
    alive = await store.open(lease=0.3)
    alive.outbox._task.cancel()
    await store.abandon(dead)
    async with asyncio.timeout(30):
        while alive.outbox.size < 10_000:
            await asyncio.sleep(0.02)


async def test_what_the_dead_have_left_is_heard_by_whoever_takes_it_over(
    store: Any, until: Any
) -> None:
    dead, alive, other = [await store.open(lease=0.3) for _ in range(3)]
    heard: dict[str, list[Event]] = {"alive": [], "other": []}
    alive.when_heard(heard["alive"].extend)
    other.when_heard(heard["other"].extend)
    other.outbox.adopt = alive.outbox.adopt  # so that it is `alive` that takes it over
    await alive.hear("cache.*")
    await other.hear("cache.*")
    dead.outbox._task.cancel()
    await dead.records.read()
    async with store.database(dead).transaction():
        await dead.append(Event("cache.gone", {"n": 1}))
    await store.abandon(dead)

    async def both_have_heard() -> bool:
        return all(heard.values())

    await until(both_have_heard)
    await store.tidy(alive)
    assert [len(each) for each in heard.values()] == [1, 1]


async def test_cancelled_publishers_lose_nothing_that_was_committed(
    log: Any, database: Any, hands: Any
) -> None:
    done: list[int] = []

    async def publish(number: int) -> None:
        if number % 2:
            async with database.transaction():
                await log.append(Event("user.created", {"n": number}))
        else:
            await log.append(Event("user.created", {"n": number}))
        done.append(number)

    for start in range(0, 200, 8):
        tasks = [asyncio.create_task(publish(start + at)) for at in range(8)]
        await asyncio.sleep(random.random() * 0.01)  # noqa: S311 - no secret
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [each for each in outcomes if isinstance(each, Exception)]
    async with asyncio.timeout(60):
        await log.outbox.wait_until_idle()
    found = hands.numbers(await log.read(limit=1000))
    assert not set(done) - set(found)
    assert len(found) == len(set(found))
    assert await rows(database) == 0
