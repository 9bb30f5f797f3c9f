from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nexus.cluster import Members, Outcome
from nexus.data import SqliteDatabase
from nexus.data.engines.sqlite.file import SqliteFile

DONE = Outcome(number=3, ok=False, state="failed", reason="It is broken.")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(SqliteFile(path=tmp_path / "nexus.db"))
    await database.open()
    yield database
    await database.close()


async def test_members_see_what_each_other_tells(database: SqliteDatabase) -> None:
    one, other = Members(database, lease=10), Members(database, lease=10)
    await one.join()
    await other.join()
    other.state, other.acknowledged = "serving", 3
    other.outcomes["foo"] = DONE
    await other.report()
    found = {each.id: each for each in await one.all()}
    assert found.keys() == {one.id, other.id}
    assert found[other.id].outcomes == {"foo": DONE}
    assert found[other.id].has_done("foo", 3)
    assert not found[other.id].has_done("foo", 4)
    assert not found[one.id].has_done("foo", 1), "one that joins has done nothing yet"
    assert found[one.id].counts, "and is waited for"


async def test_one_that_does_not_report_is_waited_for_no_longer_and_comes_back(
    database: SqliteDatabase,
) -> None:
    gone, there = Members(database, lease=-1), Members(database, lease=10)
    await gone.join()
    await there.join()
    assert not gone.is_current
    assert [each.id for each in await there.all() if each.counts] == [there.id]
    await database.execute("DELETE FROM nexus_cluster_workers WHERE id = ?", (gone.id,))
    await gone.report()
    assert gone.id in {each.id for each in await there.all()}


async def test_one_that_leaves_is_waited_for_no_longer(database: SqliteDatabase) -> None:
    one, other = Members(database, lease=10), Members(database, lease=10)
    await one.join()
    await other.join()
    other.state = "leaving"
    await other.report()
    assert [each.id for each in await one.all() if each.counts] == [one.id]
    await other.leave()
    assert [each.id for each in await one.all()] == [one.id]


async def test_rows_of_the_long_dead_are_removed(database: SqliteDatabase) -> None:
    one, other = Members(database, lease=0.001), Members(database, lease=10)
    await one.join()
    await other.join()
    await database.execute(
        "UPDATE nexus_cluster_workers SET alive_until = alive_until - 3600 WHERE id = ?", (one.id,)
    )
    await other.forget_the_dead()
    assert [each.id for each in await other.all()] == [other.id]
