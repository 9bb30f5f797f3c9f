"""Events of transactions, on their way from the database to another engine."""

import asyncio
from typing import Any

import pytest

from nexus.events.durable import outbox as outbox_module
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
