import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nexus.data.database import DEFAULT_LIMITS, Database
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl
from nexus.events.durable.journal import Journal
from nexus.events.durable.rows import row_of
from nexus.events.durable.tables import make_tables
from nexus.events.durable.tail import Tail
from nexus.events.engines.sql import SqlJournal
from nexus.events.engines.sql import searching as searching_module
from nexus.events.event import Event


def events(*numbers: int) -> list[Event]:
    return [Event("a.b", {"n": number}) for number in numbers]


class Seen(list[int]):
    def __call__(self, given: list[Event]) -> None:
        self += [each.data["n"] for each in given]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
    made = make_database(url, limits=DEFAULT_LIMITS)
    await made.open()
    await make_tables(made)
    yield made
    await made.close()


@pytest.fixture
async def journal(database: Database) -> Journal:
    made = SqlJournal(database)
    await made.open("me")
    return made


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def tail(journal: Journal, seen: Seen) -> AsyncIterator[Tail]:
    made = Tail(journal, seen)
    yield made
    await made.close()


async def wait_for(seen: Seen, count: int) -> None:
    async with asyncio.timeout(20):
        while len(seen) < count:
            await asyncio.sleep(0.001)


async def test_what_arrives_in_order_is_dispatched_at_once(tail: Tail, seen: Seen) -> None:
    given = events(1, 2, 3)
    tail.arrived((0, [1]), given[:1])
    tail.arrived((1, [2, 3]), given[1:])
    assert seen == [1, 2, 3]
    assert [each.position for each in given] == [1, 2, 3]
    assert tail.position == 3


async def test_what_arrives_early_waits_for_what_is_before_it(tail: Tail, seen: Seen) -> None:
    tail.arrived((3, range(4, 5)), events(4))
    tail.arrived((1, range(2, 4)), events(2, 3))
    assert seen == []
    tail.arrived((0, range(1, 2)), events(1))
    assert seen == [1, 2, 3, 4]


async def test_what_others_have_put_in_between_is_waited_for(tail: Tail, seen: Seen) -> None:
    tail.arrived((0, [1, 2, 4, 6]), events(1, 2, 4, 6))
    assert seen == [1, 2]
    tail.arrived((2, [3]), events(3))
    assert seen == [1, 2, 3, 4]
    tail.arrived((4, [5]), events(5))
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_positions_may_have_gaps_where_nothing_is(tail: Tail, seen: Seen) -> None:
    tail.arrived((0, [1000, 1001]), events(1, 2))
    tail.arrived((1001, [5000]), events(3))
    assert (seen, tail.position) == ([1, 2, 3], 5000)


async def test_what_arrives_twice_is_dispatched_once(tail: Tail, seen: Seen) -> None:
    tail.arrived((0, range(1, 3)), events(1, 2))
    tail.arrived((0, range(1, 3)), events(1, 2))
    tail.arrived((1, range(2, 4)), events(2, 3))
    assert seen == [1, 2, 3]


async def test_a_gap_that_stays_is_read(journal: Journal, tail: Tail, seen: Seen) -> None:
    append = journal.append
    await append([row_of(each) for each in events(1, 2)])
    mine = events(3)
    placed = await append([row_of(each) for each in mine])
    tail.arrived(placed, mine)
    assert seen == []
    await wait_for(seen, 3)
    assert seen == [1, 2, 3]


async def test_what_others_have_appended_is_read_page_by_page(
    journal: Journal, tail: Tail, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching_module, "_PAGE", 10)
    append = journal.append
    await append([row_of(each) for each in events(*range(1, 36))])
    await tail.look()
    assert seen == list(range(1, 36))
    assert tail.position == 35


async def test_own_events_that_arrive_during_a_read_are_not_dispatched_twice(
    journal: Journal, tail: Tail, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching_module, "_PAGE", 5)
    append = journal.append
    for number in range(0, 60, 2):
        await append([row_of(each) for each in events(number)])
        mine = events(number + 1)
        placed = await append([row_of(each) for each in mine])
        tail.read()
        tail.arrived(placed, mine)
    await wait_for(seen, 60)
    await tail.look()
    assert seen == list(range(60))


async def test_what_was_removed_is_passed_over(
    database: Database, journal: Journal, tail: Tail, seen: Seen
) -> None:
    append = journal.append
    await append([row_of(each) for each in events(1, 2, 3)])
    await database.execute("DELETE FROM nexus_events WHERE position <= 3")
    await tail.look()
    assert (seen, tail.position) == ([], 3)
    tail.arrived((3, range(4, 5)), events(4))
    assert seen == [4]
