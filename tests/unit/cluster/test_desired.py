from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nexus.cluster import DesiredState
from nexus.cluster.desired import Kind
from nexus.data import SqliteDatabase, SqlKeyValueStore
from nexus.data.engines.sqlite.file import SqliteFile

KINDS: tuple[Kind, ...] = ("enabled", "reload")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(SqliteFile(path=tmp_path / "nexus.db"))
    await database.open()
    yield database
    await database.close()


async def test_every_change_raises_the_number(database: SqliteDatabase) -> None:
    desired = DesiredState(database, SqlKeyValueStore(database))
    assert await desired.open() == 0
    assert [await desired.change("foo", kind) for kind in KINDS] == [1, 2]
    assert await desired.change("bar", "settings") == 3
    assert await desired.number() == 3
    assert await desired.since(0) == {
        "foo": {"enabled": 1, "reload": 2},
        "bar": {"settings": 3},
    }
    assert await desired.since(1) == {"foo": {"reload": 2}, "bar": {"settings": 3}}
    assert await desired.since(3) == {}
    assert await desired.open() == 3, "opening again changes nothing"


async def test_a_change_that_is_rolled_back_was_none(database: SqliteDatabase) -> None:
    desired = DesiredState(database, SqlKeyValueStore(database))
    await desired.open()

    async def fail() -> None:
        async with database.transaction():
            assert await desired.change("foo", "reload") == 1
            raise OSError("stop")

    with pytest.raises(OSError, match="stop"):
        await fail()
    assert await desired.number() == 0
    assert await desired.since(0) == {}
