# ruff: noqa: N806 - models are classes
"""Plugins, and the generations of one plugin, do not get into each other's way."""

import gc
import weakref
from typing import Any

from sqlalchemy import event, func, inspect, select
from sqlalchemy.orm import aliased, selectinload

from nexus.data.database import Database
from nexus.web.caches import forget_callables


async def tables_in(plugin: Any) -> set[str]:
    async with plugin.session(read_only=True) as session:
        connection = await session.connection()
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    return {name for name in names if "__" in name}


async def test_two_plugins_have_tables_of_the_same_name(workshop: Any) -> None:
    first, second = workshop.load("tasks"), workshop.load("wishes")
    await first.create_all()
    await second.create_all()
    assert {name for name in await tables_in(first) if name.endswith("items")} == {
        "tasks__items",
        "wishes__items",
    }
    async with first.session() as one:
        one.add(first.module.Item(name="same", tags=[first.module.Tag(name="a")]))
        async with second.session() as two:  # in the same transaction
            two.add(second.module.Item(name="same", tags=[second.module.Tag(name="b")]))
    for plugin, tag in ((first, "a"), (second, "b")):
        async with plugin.session(read_only=True) as session:
            query = select(plugin.module.Item).options(selectinload(plugin.module.Item.tags))
            item = (await session.scalars(query)).one()
            assert [each.name for each in item.tags] == [tag]


async def test_indexes_constraints_and_types_carry_the_name_too(workshop: Any) -> None:
    plugin = workshop.load("tasks")
    await plugin.create_all()

    def look(sync: Any) -> dict[str, set[Any]]:
        found = inspect(sync)
        return {
            "indexes": {each["name"] for each in found.get_indexes("tasks__items")}
            | {each["name"] for each in found.get_indexes("tasks__tags")},
            "uniques": {each["name"] for each in found.get_unique_constraints("tasks__items")},
            "foreign": {each["name"] for each in found.get_foreign_keys("tasks__notes")},
            "types": {each["name"] for each in found.get_enums()}
            if sync.dialect.name == "postgresql"
            else {"tasks__state"},
        }

    async with plugin.session(read_only=True) as session:
        names = await (await session.connection()).run_sync(look)
    assert {"tasks__by_state", "ix_tasks__tags_name"} <= names["indexes"]
    assert names["uniques"] == {"uq_tasks__items_name"}
    assert names["foreign"] == {"fk_tasks__notes_item_id"}
    assert names["types"] == {"tasks__state"}


async def test_a_new_generation_finds_what_the_old_one_has_stored(workshop: Any) -> None:
    old = workshop.load()
    await old.create_all()
    async with old.session() as session:
        session.add(old.module.Item(name="a"))
    new = workshop.load()
    assert new.module.Item is not old.module.Item
    async with new.session() as session, old.session() as other:
        assert (await session.scalars(select(new.module.Item.name))).all() == ["a"]
        assert (await other.scalars(select(old.module.Item.name))).all() == ["a"]
    await workshop.unload(old)
    async with new.session() as session:
        session.add(new.module.Item(name="b"))
    async with new.session() as session:
        assert await session.scalar(select(func.count()).select_from(new.module.Item)) == 2


async def test_fifty_reloads_leave_no_model_behind(workshop: Any, database: Database) -> None:
    classes: weakref.WeakSet[Any] = weakref.WeakSet()
    engines: weakref.WeakSet[Any] = weakref.WeakSet()

    async def live(number: int) -> None:
        plugin = workshop.load()
        module = plugin.module
        Item = module.Item
        classes.add(Item)
        engines.add(plugin.sessions._engine._engine.sync_engine)
        if number == 0:
            await plugin.create_all()
        event.listen(Item, "before_insert", lambda *_: None)
        async with plugin.session() as session:
            item = Item(name=f"n{number}", tags=[module.Tag(name="x")])
            session.add(item)
            await session.flush()
            other = aliased(Item)
            query = (
                select(Item)
                .join(other, other.id == Item.id)
                .options(selectinload(Item.tags), selectinload(Item.notes))
                .where(Item.name == f"n{number}")
            )
            found = (await session.scalars(query)).one()
            assert found.tags[0].name == "x"
            await session.commit()
            found.name += "!"
        async with plugin.session(read_only=True) as session:
            result = await session.stream_scalars(select(Item))
            async for _ in result:
                break
        await workshop.unload(plugin)
        forget_callables()  # as each swap of a plugin does

    for number in range(50):
        await live(number)
    gc.collect()
    assert len(classes) <= 1
    assert len(engines) <= 1
