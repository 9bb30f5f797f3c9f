"""SQLAlchemy's own dialects on the connections of our transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import JSON, String, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

from nexus.data.database import Database
from nexus.errors import UniqueViolation

pytestmark = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)

URLS = {"postgresql": "postgresql+asyncpg://", "mariadb": "mysql+asyncmy://"}


class OnPurposeError(Exception):
    """Raised to see what it undoes."""


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)


class Paper(Base):
    __tablename__ = "papers"

    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[Any] = mapped_column(JSON)


@asynccontextmanager
async def session_in(transaction: Any) -> AsyncIterator[AsyncSession]:
    async def lend() -> Any:
        return transaction.driver

    url = URLS[transaction.database.engine]
    engine = create_async_engine(url, async_creator=lend, poolclass=NullPool)
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            yield session
    finally:
        await engine.dispose()


async def names(database: Database) -> list[str]:
    return [row[0] for row in await database.fetch_all("SELECT name FROM things ORDER BY id")]


async def test_a_session_sees_what_the_transaction_did_and_the_other_way_round(
    things: Any,
) -> None:
    async with things.database.transaction() as transaction:
        await things.add(1, "ours")
        async with session_in(transaction) as session:
            assert await session.scalar(select(Thing.name)) == "ours"
            session.add(Thing(id=2, name="theirs"))
            await session.commit()
        assert await names(things.database) == ["ours", "theirs"]

    assert await names(things.database) == ["ours", "theirs"]


async def test_a_commit_of_the_session_does_not_end_the_transaction(things: Any) -> None:
    with pytest.raises(OnPurposeError):  # noqa: PT012 - what raises is the end of the block
        async with things.database.transaction() as transaction:
            async with session_in(transaction) as session:
                session.add(Thing(id=1, name="one"))
                await session.commit()
                session.add(Thing(id=2, name="two"))
                await session.commit()
            raise OnPurposeError

    assert await names(things.database) == []


async def test_closing_a_session_leaves_the_transaction_open(things: Any) -> None:
    async with things.database.transaction() as transaction:
        await things.add(1)
        for _ in range(3):
            async with session_in(transaction) as session:
                await session.scalar(select(Thing.name))
        await things.add(2)

    assert await things.numbers() == [1, 2]


async def test_a_statement_of_a_session_that_fails_undoes_nothing_else(things: Any) -> None:
    async with things.database.transaction() as transaction:
        await things.add(1, "one")
        async with session_in(transaction) as session:
            async with session.begin_nested():
                session.add(Thing(id=2, name="two"))
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    session.add(Thing(id=3, name="one"))
            with pytest.raises(UniqueViolation):
                await things.add(4, "one")
            async with session.begin_nested():
                session.add(Thing(id=5, name="five"))
            with pytest.raises(IntegrityError):
                await session.execute(text("INSERT INTO things VALUES (6, 'one')"))
            await session.execute(text("INSERT INTO things VALUES (7, 'seven')"))
            await session.commit()

    assert await names(things.database) == ["one", "two", "five", "seven"]


async def test_savepoints_of_both_kinds_nest(things: Any) -> None:
    async with things.database.transaction() as outer:
        with pytest.raises(OnPurposeError):  # noqa: PT012 - what raises is the end of the block
            async with things.database.transaction() as nested:
                async with session_in(nested) as session:
                    async with session.begin_nested():
                        session.add(Thing(id=1, name="one"))
                    await session.commit()
                await things.add(2)
                raise OnPurposeError
        async with session_in(outer) as session:
            session.add(Thing(id=3, name="three"))
            await session.commit()
        async with things.database.transaction():
            await things.add(4)

    assert await things.numbers() == [3, 4]


async def test_rows_can_be_streamed_to_a_session(things: Any) -> None:
    await things.add_many(range(1000))

    async with things.database.transaction() as transaction, session_in(transaction) as session:
        seen: list[int] = []
        async for number in await session.stream_scalars(select(Thing.id).order_by(Thing.id)):
            seen.append(number)
            if number == 500:
                await things.add(2000)
        await session.commit()

    assert seen == list(range(1000))
    assert await things.count() == 1001


async def test_a_stream_to_a_session_may_be_left_early(things: Any) -> None:
    await things.add_many(range(1000))

    async with things.database.transaction() as transaction, session_in(transaction) as session:
        result = await session.stream_scalars(select(Thing.id).order_by(Thing.id))
        assert (await anext(aiter(result))) == 0
        await result.close()
        await things.add(2000)
        await session.commit()

    assert await things.count() == 1001


async def test_json_is_decoded_for_the_session_only(database: Database) -> None:
    content = {"a": [1, 2.5, None, "é"], "b": {"c": True}}
    async with database.transaction() as transaction, session_in(transaction) as session:
        await session.run_sync(lambda each: Paper.__table__.create(each.connection()))  # type: ignore[attr-defined]
        session.add(Paper(id=1, content=content))
        await session.commit()
        session.expunge_all()
        paper = await session.get_one(Paper, 1)
        assert paper.content == content
        row = await database.fetch_one("SELECT content FROM papers")
        assert isinstance(row[0], str)


async def test_many_objects_are_inserted_and_get_their_numbers(database: Database) -> None:
    async with database.transaction() as transaction, session_in(transaction) as session:
        await session.run_sync(lambda each: Thing.__table__.create(each.connection()))  # type: ignore[attr-defined]
        added = [Thing(name=f"n{number}") for number in range(500)]
        session.add_all(added)
        await session.flush()
        assert len({thing.id for thing in added}) == 500
        await session.commit()

    assert len(await names(database)) == 500


async def test_a_thousand_sessions_prepare_a_statement_no_more_than_once_a_connection(
    things: Any,
) -> None:
    if things.database.engine != "postgresql":
        pytest.skip("only there does SQLAlchemy prepare statements")
    for number in range(50):
        async with things.database.transaction() as transaction, session_in(transaction) as session:
            session.add(Thing(id=number, name=f"n{number}"))
            await session.commit()

    async with things.database.transaction() as transaction:
        row = await transaction.fetch_one(
            "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO things%'"
        )
    assert row[0] == 1


async def test_a_table_that_was_changed_meanwhile_is_seen_after_renewal(things: Any) -> None:
    database: Any = things.database
    query = "SELECT * FROM things"
    await things.add(1)
    for _ in range(3):
        assert len((await database.fetch_all(query))[0]) == 2
    async with database.transaction() as transaction:
        await transaction.fetch_all(query)
    await database.execute("ALTER TABLE things ADD COLUMN more INTEGER")
    database.renew()

    async with database.transaction() as transaction:
        assert len((await transaction.fetch_all(query))[0]) == 3
