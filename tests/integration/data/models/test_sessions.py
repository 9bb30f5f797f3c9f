# ruff: noqa: N806, PT012, S608 - models are classes; what raises is the end of a block
"""A session does what SQLAlchemy's users expect, on every engine, in our transactions."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, InvalidRequestError, ResourceClosedError
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.exc import DetachedInstanceError

from nexus.data import MISSING, SqlKeyValueStore
from nexus.data.database import Database
from nexus.errors import (
    DatabaseUnavailable,
    SessionInterrupted,
    TransactionExpired,
    TransactionReadOnly,
)


async def names(plugin: Any) -> list[str]:
    async with plugin.session(read_only=True) as session:
        return list(await session.scalars(select(plugin.module.Item.name).order_by("name")))


async def test_the_block_ends_with_a_commit(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        item = Item(name="a")
        session.add(item)
    assert item.id is not None
    assert item.state is tasks.module.State.OPEN
    assert await names(tasks) == ["a"]


async def test_an_exception_rolls_everything_back(tasks: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with tasks.session() as session:
            session.add(tasks.module.Item(name="a"))
            await session.flush()
            await session.commit()
            session.add(tasks.module.Item(name="b"))
            raise ZeroDivisionError
    assert await names(tasks) == []


async def test_a_cancellation_rolls_everything_back(tasks: Any) -> None:
    flushed = asyncio.Event()

    async def work() -> None:
        async with tasks.session() as session:
            session.add(tasks.module.Item(name="a"))
            await session.flush()
            flushed.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await flushed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(tasks) == []


async def test_a_cancellation_in_the_middle_of_a_statement_rolls_everything_back(
    tasks: Any, database: Database
) -> None:
    slow = {
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 3000000)"
        " SELECT count(*) FROM n",
        "postgresql": "SELECT pg_sleep(5)",
        "mariadb": "SELECT sleep(5)",
    }[database.engine]
    async with asyncio.timeout(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), tasks.session() as session:
                session.add(tasks.module.Item(name="a"))
                await session.flush()
                await session.execute(text(slow))
                await asyncio.sleep(1)  # in memory the statement itself cannot be interrupted
        assert await names(tasks) == []


async def test_commit_inside_keeps_what_was_done_from_a_later_rollback(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add(Item(name="kept"))
        await session.commit()
        session.add(Item(name="undone"))
        await session.flush()
        await session.rollback()
        session.add(Item(name="later"))
        await session.commit()
        session.add(Item(name="undone too"))
        await session.flush()
        await session.rollback()
    assert await names(tasks) == ["kept", "later"]


async def test_rollback_undoes_everything_since_the_block_began(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add(Item(name="undone"))
        await session.flush()
        await session.rollback()
        session.add(Item(name="a"))
    assert await names(tasks) == ["a"]


async def test_after_a_failed_flush_the_session_goes_on_with_a_rollback(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add(Item(name="a"))
        await session.commit()
        session.add(Item(name="a"))
        with pytest.raises(IntegrityError):
            await session.flush()
        await session.rollback()
        session.add(Item(name="b"))
    assert await names(tasks) == ["a", "b"]


async def test_a_failed_flush_that_nobody_handles_rolls_everything_back(tasks: Any) -> None:
    Item = tasks.module.Item
    with pytest.raises(IntegrityError):
        async with tasks.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            session.add(Item(name="a"))
    assert await names(tasks) == []


async def test_begin_nested_is_a_savepoint(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add(Item(name="a"))
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                session.add(Item(name="a"))
        async with session.begin_nested():
            session.add(Item(name="b"))
    assert await names(tasks) == ["a", "b"]


async def test_a_session_is_part_of_the_transaction_around_it(
    tasks: Any, database: Database
) -> None:
    Item = tasks.module.Item
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            async with tasks.session() as session:
                session.add(Item(name="a"))
            async with tasks.session() as session:
                assert await session.scalar(select(func.count()).select_from(Item)) == 1
            raise ZeroDivisionError
    assert await names(tasks) == []


async def test_a_session_that_fails_leaves_the_transaction_around_it(
    tasks: Any, database: Database
) -> None:
    Item = tasks.module.Item
    async with database.transaction():
        async with tasks.session() as session:
            session.add(Item(name="a"))
        with pytest.raises(IntegrityError):
            async with tasks.session() as session:
                session.add(Item(name="b"))
                await session.flush()
                session.add(Item(name="a"))
        async with tasks.session() as session:
            session.add(Item(name="c"))
            await session.flush()
            await session.rollback()
            session.add(Item(name="d"))
    assert await names(tasks) == ["a", "d"]


async def test_models_and_data_are_stored_together_or_not_at_all(
    tasks: Any, database: Database
) -> None:
    Item, store = tasks.module.Item, SqlKeyValueStore(database)
    async with tasks.session() as session:
        session.add(Item(name="a"))
        await store.set("tasks", "first", 1)
        await session.flush()
        await store.set("tasks", "second", 2)
    assert await names(tasks) == ["a"]
    assert await store.items("tasks") == {"first": 1, "second": 2}

    with pytest.raises(ZeroDivisionError):
        async with tasks.session() as session:
            await store.set("tasks", "third", 3)
            session.add(Item(name="b"))
            await session.flush()
            await store.set("tasks", "first", 10)
            raise ZeroDivisionError
    assert await names(tasks) == ["a"]
    assert await store.get("tasks", "first") == 1
    assert await store.get("tasks", "third") is MISSING


async def test_a_session_and_data_take_turns(tasks: Any, database: Database) -> None:
    Item, store = tasks.module.Item, SqlKeyValueStore(database)
    async with tasks.session() as session:
        session.add(Item(name="a"))
        await session.flush()

        async def query() -> None:
            for _ in range(20):
                await session.scalar(select(func.count()).select_from(Item))

        async def keep() -> None:
            for number in range(20):
                await store.set("tasks", str(number), number)

        async def nest() -> None:
            for number in range(5):
                async with database.transaction():
                    await store.set("tasks", f"nested {number}", number)

        await asyncio.gather(query(), keep(), nest())
    assert len(await store.items("tasks")) == 25


async def test_a_block_inside_the_session_is_a_savepoint_of_both(
    tasks: Any, database: Database
) -> None:
    Item, store = tasks.module.Item, SqlKeyValueStore(database)
    async with tasks.session() as session:
        session.add(Item(name="a"))
        await session.flush()
        with pytest.raises(ZeroDivisionError):
            async with database.transaction():
                await store.set("tasks", "x", 1)
                await session.execute(update(Item).values(name="b"))
                raise ZeroDivisionError
        async with database.transaction():
            await store.set("tasks", "y", 1)
            session.add(Item(name="c"))
            await session.flush()
    assert await names(tasks) == ["a", "c"]
    assert await store.items("tasks") == {"y": 1}


async def test_commit_in_a_block_that_began_after_the_session_is_refused(
    tasks: Any, database: Database
) -> None:
    with pytest.raises(SessionInterrupted, match="outside of that block"):
        async with tasks.session() as session:
            session.add(tasks.module.Item(name="a"))
            async with database.transaction():
                await session.commit()
    assert await names(tasks) == []


async def test_a_rollback_in_a_block_that_began_after_the_session_is_made_up_for(
    tasks: Any, database: Database
) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add(Item(name="a"))
        await session.flush()
        async with database.transaction():
            await session.rollback()
        session.add(Item(name="b"))
    assert await names(tasks) == ["b"]

    async with tasks.session() as session:
        session.add(Item(name="c"))
        await session.flush()
        async with database.transaction():
            await session.rollback()
    assert await names(tasks) == ["b"]


async def test_relationships_are_stored_and_loaded(tasks: Any) -> None:
    module = tasks.module
    async with tasks.session() as session:
        tags = [module.Tag(name="red"), module.Tag(name="blue")]
        session.add(module.Item(name="a", tags=tags, notes=[module.Note(text="one")]))
        session.add(module.Item(name="b", tags=tags[:1]))
    async with tasks.session(read_only=True) as session:
        query = (
            select(module.Item)
            .options(selectinload(module.Item.tags), selectinload(module.Item.notes))
            .order_by(module.Item.name)
        )
        found = list(await session.scalars(query))
        joined = await session.scalar(
            select(func.count()).select_from(module.Item).join(module.Item.tags)
        )
        red = await session.scalar(
            select(module.Tag)
            .where(module.Tag.name == "red")
            .options(selectinload(module.Tag.items))
        )
    assert [sorted(tag.name for tag in each.tags) for each in found] == [["blue", "red"], ["red"]]
    assert [each.text for each in found[0].notes] == ["one"]
    assert joined == 3
    assert sorted(each.name for each in red.items) == ["a", "b"]


async def test_cascades_update_and_delete(tasks: Any) -> None:
    module = tasks.module
    async with tasks.session() as session:
        item = module.Item(name="a", notes=[module.Note(text="one"), module.Note(text="two")])
        session.add(item)
    async with tasks.session() as session:
        found = await session.get(module.Item, item.id, options=[selectinload(module.Item.notes)])
        found.name = "renamed"
        found.state = module.State.DONE
        found.notes.pop()
    async with tasks.session() as session:
        found = await session.scalar(select(module.Item).where(module.Item.state == "DONE"))
        assert found.name == "renamed"
        assert await session.scalar(select(func.count()).select_from(module.Note)) == 1
        await session.execute(delete(module.Note))
        await session.delete(found)
    assert await names(tasks) == []


async def test_setting_a_row_to_what_it_is_is_no_conflict(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add(Item(name="a"))
    async with tasks.session() as session:
        result = await session.execute(update(Item).values(name="a"))
        assert result.rowcount == 1


async def test_many_rows_at_once(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        await session.execute(insert(Item), [{"name": f"n{number:03}"} for number in range(500)])
        session.add_all([Item(name=f"o{number:03}") for number in range(300)])
        await session.flush()
        rows = await session.execute(
            insert(Item).returning(Item.id), [{"name": f"p{number}"} for number in range(3)]
        )
        assert len(set(rows.scalars())) == 3
    assert len(await names(tasks)) == 803


async def test_rows_are_streamed(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        await session.execute(insert(Item), [{"name": f"n{number:04}"} for number in range(1200)])
    async with tasks.session(read_only=True) as session:
        result = await session.stream_scalars(select(Item.name).order_by(Item.name))
        found = [name async for name in result]
        assert found == [f"n{number:04}" for number in range(1200)]
        result = await session.stream_scalars(select(Item).order_by(Item.name))
        async for item in result:
            assert item.name == "n0000"
            break
        await result.close()
        assert await session.scalar(select(func.count()).select_from(Item)) == 1200
    async with tasks.session() as session:  # left in the middle
        result = await session.stream_scalars(select(Item.name).order_by(Item.name))
        async for _ in result:
            break
    assert len(await names(tasks)) == 1200


async def test_plain_sql_uses_the_names_in_the_database(tasks: Any) -> None:
    table = tasks.module.Item.__tablename__
    async with tasks.session() as session:
        await session.execute(
            text(f"INSERT INTO {table} (name, state) VALUES (:name, 'OPEN')"), {"name": "a:b %s"}
        )
        found = await session.scalar(text(f"SELECT name FROM {table}"))
    assert found == "a:b %s"


async def test_regular_expressions_work(tasks: Any) -> None:
    Item = tasks.module.Item
    async with tasks.session() as session:
        session.add_all([Item(name="abc"), Item(name="xyz")])
        await session.flush()
        found = await session.scalars(select(Item.name).where(Item.name.regexp_match("^x")))
        assert list(found) == ["xyz"]


async def test_nothing_is_loaded_behind_the_block(tasks: Any) -> None:
    module = tasks.module
    async with tasks.session() as session:
        item = module.Item(name="a")
        session.add(item)
        await session.flush()
        await session.refresh(item)
    assert item.name == "a"
    with pytest.raises(DetachedInstanceError):
        _ = item.notes
    with pytest.raises(InvalidRequestError, match="closed"):
        await session.scalar(select(module.Item))


async def test_a_statement_from_before_the_adoption_finds_the_tables(
    workshop: Any,
) -> None:
    models = """
    from sqlalchemy import String, insert, select, update
    from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column

    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "items"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(50), unique=True)

    ALL = select(Item)
    ADD = insert(Item)
    RENAME = update(Item).values(name="b")
    OTHER = aliased(Item)
    """
    plugin = workshop.load("early", models)
    await plugin.create_all()
    module = plugin.module
    async with plugin.session() as session:
        await session.execute(module.ADD, [{"name": "a"}])
        await session.execute(module.RENAME)
        assert (await session.scalars(module.ALL)).one().name == "b"
        assert await session.scalar(select(module.OTHER.name)) == "b"


# Those that only read


async def test_a_session_that_only_reads_refuses_changes(tasks: Any) -> None:
    Item = tasks.module.Item
    table = Item.__tablename__
    async with tasks.session() as session:
        session.add(Item(name="a"))
    changes: list[Any] = [
        lambda session: session.execute(insert(Item), [{"name": "x"}]),
        lambda session: session.execute(update(Item).values(name="x")),
        lambda session: session.execute(delete(Item)),
        lambda session: session.execute(text(f"DELETE FROM {table}")),
        lambda session: session.execute(text(f"-- look\n /* no */ DELETE FROM {table}")),
        lambda session: session.execute(text(f"CREATE TABLE {table}_2 (id INTEGER)")),
    ]
    for change in changes:
        with pytest.raises(TransactionReadOnly):
            async with tasks.session(read_only=True) as session:
                await change(session)
    with pytest.raises(TransactionReadOnly):
        async with tasks.session(read_only=True) as session:
            session.add(Item(name="b"))
    with pytest.raises(TransactionReadOnly):
        async with tasks.session(read_only=True) as session:
            item = (await session.scalars(select(Item))).one()
            item.name = "b"
            await session.flush()
    assert await names(tasks) == ["a"]


async def test_a_session_that_only_reads_refuses_changes_in_a_transaction_that_writes(
    tasks: Any, database: Database
) -> None:
    Item = tasks.module.Item
    async with database.transaction():
        async with tasks.session() as session:
            session.add(Item(name="a"))
        with pytest.raises(TransactionReadOnly):
            async with tasks.session(read_only=True) as session:
                session.add(Item(name="b"))
        with pytest.raises(TransactionReadOnly):
            async with tasks.session(read_only=True) as session:
                await session.execute(text(f"DELETE FROM {Item.__tablename__}"))
        async with tasks.session(read_only=True) as session:
            assert (await session.scalars(select(Item))).one().name == "a"
        async with tasks.session() as session:
            session.add(Item(name="c"))
    assert await names(tasks) == ["a", "c"]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_what_a_query_does_by_a_function_is_undone(tasks: Any, database: Database) -> None:
    async with database.transaction():
        async with tasks.session(read_only=True) as session:
            await session.execute(text("SELECT set_config('nexus.mark', 'here', false)"))
        async with tasks.session() as session:
            mark = await session.scalar(text("SELECT current_setting('nexus.mark', true)"))
            assert not mark


async def test_a_commit_waits_for_a_block_of_another_task(tasks: Any, database: Database) -> None:
    Item, store = tasks.module.Item, SqlKeyValueStore(database)
    is_open, may_end = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        async with database.transaction():
            await store.set("tasks", "other", 1)
            is_open.set()
            await may_end.wait()

    async with tasks.session() as session:
        session.add(Item(name="a"))
        await session.commit()
        session.add(Item(name="b"))
        await session.flush()
        task = asyncio.create_task(other())
        await is_open.wait()
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        await session.commit()
        await task
    assert await names(tasks) == ["a", "b"]
    assert await store.get("tasks", "other") == 1


async def test_a_session_that_writes_is_refused_in_a_transaction_that_only_reads(
    tasks: Any, database: Database
) -> None:
    async with database.transaction(read_only=True):
        with pytest.raises(TransactionReadOnly):
            async with tasks.session():
                pytest.fail("it was opened")


async def test_a_session_that_is_open_for_too_long_says_so(
    workshop: Any, tasks: Any, open_database: Any, engine: str
) -> None:
    if engine == "memory":
        pytest.skip("what nobody operates has no settings")
    from nexus.data.database import Limits
    from nexus.data.models import ModelSessions

    impatient = await open_database(Limits(transaction=0.1))
    sessions = ModelSessions(impatient, tasks.models)
    Item = tasks.module.Item
    with pytest.raises(TransactionExpired):
        async with sessions.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            await asyncio.sleep(0.3)
            await session.scalar(select(Item))
    with pytest.raises(TransactionExpired):
        async with sessions.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            await asyncio.sleep(0.3)
    await sessions.close()
    assert await names(tasks) == []


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
async def test_a_lost_connection_is_an_outage_and_stores_nothing(
    tasks: Any, database: Database, open_database: Any
) -> None:
    Item = tasks.module.Item
    operator = await open_database()
    whoami, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mariadb": ("SELECT connection_id()", "KILL {}"),
    }[database.engine]
    with pytest.raises(DatabaseUnavailable):
        async with tasks.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            number = await session.scalar(text(whoami))
            await operator.execute(kill.format(number))
            await session.scalar(select(func.count()).select_from(Item))
    with pytest.raises(DatabaseUnavailable):
        async with tasks.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            number = await session.scalar(text(whoami))
            await operator.execute(kill.format(number))
    assert await names(tasks) == []


async def test_closing_the_connection_hides_no_error_and_leaves_nothing_behind(
    tasks: Any, database: Database
) -> None:
    Item = tasks.module.Item
    with pytest.raises(ZeroDivisionError):
        async with tasks.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            connection = await session.connection()
            rows = await connection.stream(select(Item.name))
            try:
                async for _ in rows:
                    raise ZeroDivisionError
            finally:
                await connection.close()
    with pytest.raises(ResourceClosedError, match="This Connection is closed"):
        async with tasks.session() as session:
            await (await session.connection()).close()
            await session.scalar(select(Item))
    with pytest.raises(InvalidRequestError, match="inactive"):  # as on an engine of one's own
        async with tasks.session() as session:
            session.add(Item(name="b"))
            await session.flush()
            await (await session.connection()).close()
    assert await names(tasks) == []
    async with database.transaction(), tasks.session() as session:
        session.add(Item(name="c"))
    assert await names(tasks) == ["c"]


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
async def test_closing_a_connection_that_is_lost_hides_no_outage(
    tasks: Any, database: Database, open_database: Any
) -> None:
    operator = await open_database()
    whoami, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mariadb": ("SELECT connection_id()", "KILL {}"),
    }[database.engine]
    with pytest.raises(DatabaseUnavailable):
        async with tasks.session() as session:
            session.add(tasks.module.Item(name="a"))
            await session.flush()
            connection = await session.connection()
            await operator.execute(kill.format(await connection.scalar(text(whoami))))
            await connection.close()
    assert await names(tasks) == []


async def test_after_a_statement_that_was_cut_off_nothing_of_the_session_stays(
    tasks: Any, database: Database
) -> None:
    if database.location == "memory":
        pytest.skip("in memory a statement cannot be interrupted")
    slow = {
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000000)"
        " SELECT count(*) FROM n",
        "postgresql": "SELECT pg_sleep(5)",
        "mariadb": "SELECT sleep(5)",
    }[database.engine]
    Item = tasks.module.Item
    with pytest.raises(InvalidRequestError, match="cut off"):
        async with tasks.session() as session:
            session.add(Item(name="a"))
            await session.flush()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await session.execute(text(slow))
            await session.rollback()
            session.add(Item(name="b"))
    async with tasks.session() as session:
        session.add(Item(name="c"))
        await session.flush()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.execute(text(slow))
        await session.rollback()
    assert await names(tasks) == []
