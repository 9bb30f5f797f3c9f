import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from nexus.errors import DatabaseUnavailable
from nexus.events.durable import appender as appender_module
from nexus.events.durable.appender import Appender
from nexus.events.durable.journal import Placed
from nexus.events.durable.rows import EventRow
from nexus.events.event import Event


class Written:
    """Stands for a journal that a test lets write, fail or hang."""

    check = None

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    def append_at_once(self, rows: Sequence[EventRow]) -> None:
        """Do nothing: it takes its time."""

    async def append(self, rows: Sequence[EventRow]) -> Placed:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        last = sum(map(len, self.batches))
        self.batches.append([row[2] for row in rows])
        return last, range(last + 1, last + len(rows) + 1)


@pytest.fixture
def journal() -> Written:
    return Written()


@pytest.fixture
def arrived() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def appender(journal: Any, arrived: list[tuple[int, int]]) -> Appender:
    return Appender(
        journal, lambda placed, events, _: arrived.append((placed[1][0], len(events))), 0.0
    )


def event(number: int = 0, text: str = "") -> Event:
    return Event("a.b", {"n": number, "text": text})


async def test_what_is_published_in_one_turn_is_one_batch(
    appender: Appender, journal: Written, arrived: list[tuple[int, int]]
) -> None:
    await asyncio.gather(*(appender.append(event(n)) for n in range(5)))
    assert [len(each) for each in journal.batches] == [5]
    assert arrived == [(1, 5)]
    assert (appender.appended, appender.batches) == (5, 1)


async def test_what_is_published_meanwhile_is_the_next_batch(
    appender: Appender, journal: Written, arrived: list[tuple[int, int]]
) -> None:
    journal.gate = asyncio.Event()
    first = appender.append(event())
    await asyncio.sleep(0)
    others = [appender.append(event(n)) for n in range(3)]
    journal.gate.set()
    await asyncio.gather(first, *others)
    assert [len(each) for each in journal.batches] == [1, 3]
    assert arrived == [(1, 1), (2, 3)]


async def test_a_batch_has_a_limit_of_events_and_one_of_size(
    appender: Appender, journal: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender_module, "_BATCH", 4)
    monkeypatch.setattr(appender_module, "_MUCH", 1000)
    await asyncio.gather(*(appender.append(event(n)) for n in range(10)))
    assert [len(each) for each in journal.batches] == [4, 4, 2]
    await asyncio.gather(*(appender.append(event(n, "x" * 600)) for n in range(4)))
    assert [len(each) for each in journal.batches[3:]] == [2, 2]


async def test_a_publisher_that_is_cancelled_takes_nobody_elses_event_along(
    appender: Appender, journal: Written, arrived: list[tuple[int, int]]
) -> None:
    journal.gate = asyncio.Event()

    async def publish() -> None:
        await appender.append(event())

    cancelled, other = asyncio.create_task(publish()), asyncio.create_task(publish())
    await asyncio.sleep(0)
    cancelled.cancel()
    journal.gate.set()
    await other
    await asyncio.wait({cancelled})
    assert cancelled.cancelled()
    assert arrived == [(1, 2)]


async def test_a_failure_reaches_all_of_the_batch_and_no_other(
    appender: Appender, journal: Written
) -> None:
    journal.error = DatabaseUnavailable(path="x", problem="gone", advice="wait")
    failed = [appender.append(event(n)) for n in range(2)]
    assert [type(each) for each in await asyncio.gather(*failed, return_exceptions=True)] == [
        DatabaseUnavailable,
        DatabaseUnavailable,
    ]
    journal.error = None
    await appender.append(event())
    assert [len(each) for each in journal.batches] == [1]


async def test_closing_waits_for_what_is_under_way(appender: Appender, journal: Written) -> None:
    journal.gate = asyncio.Event()
    appending = [appender.append(event(n)) for n in range(3)]
    closing = asyncio.create_task(appender.close())
    await asyncio.sleep(0)
    assert not closing.done()
    journal.gate.set()
    await closing
    assert all(each.done() for each in appending)
