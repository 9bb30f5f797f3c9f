"""A purge leaves nothing behind, and nothing of others is touched."""

from typing import Any

import pytest

from nexus.data.names import table_prefix
from nexus.errors import PurgeFailed
from nexus.jobs.declaration import JobDeclaration
from nexus.jobs.schedule import Every
from nexus.jobs.store import JobStore
from nexus.jobs.tables import make_table
from nexus.transfer import purge_plugin, take_inventory

VERSIONS = "CREATE TABLE {} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


async def names(side: Any) -> set[str]:
    """Everything that the database's own catalog has, whoever made it."""
    queries = {
        "sqlite": ("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'",),
        "postgresql": (
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace",
            "SELECT typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace",
        ),
        "mariadb": (
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
        ),
    }
    return {
        row[0]
        for each in queries[side.database.engine]
        for row in await side.database.fetch_all(each)
    }


async def values(side: Any) -> set[tuple[str, str]]:
    """Everything in the key-value store."""
    rows = await side.database.fetch_all(
        "SELECT namespace, key FROM key_value".replace(
            "key FROM", "`key` FROM" if side.database.engine == "mariadb" else "key FROM"
        )
    )
    return {tuple(_word(part) for part in row) for row in rows}  # type: ignore[misc]


def _word(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)


async def purge(side: Any, *, keep_wish: bool = False, plugin: str = "tasks") -> Any:
    return await purge_plugin(
        side.database, side.store, plugin, keep_wish=keep_wish, values=side.values
    )


async def fill_more(side: Any) -> None:
    await side.fill()
    await side.database.execute(VERSIONS.format("tasks__alembic_version"))
    await side.database.execute("INSERT INTO tasks__alembic_version VALUES ('0003')")
    await side.database.execute("CREATE VIEW tasks__rare AS SELECT id FROM tasks__every")
    if side.database.engine != "sqlite":
        await side.database.execute("CREATE SEQUENCE tasks__numbers")


async def test_an_inventory_has_everything(side: Any) -> None:
    await fill_more(side)
    inventory = await take_inventory(side.database, side.store, "tasks")
    assert inventory.settings == ("key", "nested", "size")
    assert inventory.data == 451
    assert {each.name: each.documents for each in inventory.collections} == {
        "empty": 0,
        "items": side.DOCUMENTS,
    }
    assert {each.name: each.rows for each in inventory.tables} == {
        "every": 7,
        "nodes": 3,
        "owners": 1,
    }
    assert inventory.tables[0].table == "tasks__every"
    assert inventory.revisions == ("0003",)
    assert inventory.seeded == ("tasks", "tasks/items")
    assert inventory.wish is False
    others = {"sqlite": [], "mariadb": ["tasks__numbers"]}
    extra = others.get(side.database.engine, ["tasks__numbers", "tasks__color"])
    assert list(inventory.others) == [*extra, "tasks__rare"]
    assert inventory.found == "3 stored settings, 451 values, 1,200 documents, 11 rows"


async def test_the_scheduled_jobs_of_the_plugin_are_forgotten(side: Any) -> None:
    store = JobStore(side.database, worker="test", lease=1.0, alone=True)
    await store.open()
    job = JobDeclaration(name="tidy", method="tidy", schedule=Every(seconds=60.0))
    for plugin in ("tasks", "tasks2"):
        await store.declare(plugin, [job], lambda _: 0.0)
    await purge(side)
    assert [each.plugin for each in (await store.read())[1]] == ["tasks2"]


async def test_nothing_is_left(side: Any) -> None:
    await make_table(side.database)
    names_before, values_before = await names(side), await values(side)
    await fill_more(side)
    removed = await purge(side)
    assert removed.data == 451
    assert removed.wish is False
    assert await names(side) == names_before
    assert await values(side) - values_before == {
        ("nexus.secrets", "key"),  # by which key the application's secrets are encrypted
        ("nexus.seeded", "tasks2"),
        ("data:tasks2", "other"),
    }
    inventory = await take_inventory(side.database, side.store, "tasks")
    assert inventory.is_empty
    assert (await purge(side)).is_empty


async def test_a_plugin_begins_from_nothing_afterwards(side: Any) -> None:
    await fill_more(side)
    await purge(side)
    await fill_more(side)  # which would find tables, types or migrations that were left
    everything = await side.everything()
    await purge(side)
    await side.prepare()
    empty = await side.everything()
    assert len(everything["items"]) == side.DOCUMENTS
    assert not any(empty["rows"].values())
    assert empty["items"] == []
    assert empty["settings"] == {}
    assert everything["seeded"] != empty["seeded"]


async def test_settings_that_are_held_in_memory_are_forgotten(side: Any) -> None:
    class Copy:
        values = {"size": 5}  # noqa: RUF012

        def stored_changed(self, changes: Any) -> None:
            self.values = {**self.values, **changes}

    copy = Copy()
    side.values.watch("tasks", copy)
    await side.settings(size=5)
    await purge(side)
    assert copy.values == {"size": None}


@pytest.mark.parametrize(("wish", "kept"), [(False, False), (True, None)])
async def test_a_wish_that_it_should_not_run_can_stay(side: Any, wish: bool, kept: Any) -> None:
    await side.fill()
    await side.store.set("nexus.plugins", "tasks", {"enabled": wish})
    removed = await purge(side, keep_wish=True)
    inventory = await take_inventory(side.database, side.store, "tasks")
    assert inventory.wish is kept
    assert removed.wish is (None if kept is False else wish)
    assert not inventory.holds


async def test_tables_of_others_with_similar_names_stay(side: Any) -> None:
    long = "my_awesome_plugin_with_a_long_name"
    mine, theirs = table_prefix("my_awesome"), table_prefix(long)
    assert theirs.startswith(mine)
    tables = [f"{mine}items", f"{theirs}items", "my_awesomer__items", "my_awesome_items"]
    for name in tables:
        await side.database.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)")
    before = await names(side)
    await purge(side, plugin="my_awesome")
    gone = before - await names(side)
    assert f"{mine}items" in gone
    assert not any(each.startswith(tuple(tables[1:])) for each in gone)
    await purge(side, plugin=long)
    assert not any(each.startswith(theirs) for each in await names(side))


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_what_cannot_be_removed_leaves_all_as_it_was(side: Any) -> None:
    await side.fill()
    before = await side.everything()
    await side.database.execute("CREATE VIEW report AS SELECT id FROM tasks__every")
    with pytest.raises(PurgeFailed, match=r"depend.*Nothing was removed\.$"):
        await purge(side)
    assert await side.everything() == before
    await side.database.execute("DROP VIEW report")
    await purge(side)


@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
async def test_mariadb_says_how_far_it_came_and_goes_on_from_there(side: Any) -> None:
    await side.fill()
    await side.database.execute(
        "CREATE TABLE report (id INTEGER PRIMARY KEY, node INTEGER REFERENCES tasks__nodes (id))"
    )
    with pytest.raises(PurgeFailed, match=r"left are: .*tasks__nodes.*Run 'nexus plugin purge"):
        await purge(side)
    left = await take_inventory(side.database, side.store, "tasks")
    assert left.data == 0
    assert "nodes" in {each.name for each in left.tables}
    await side.database.execute("DROP TABLE report")
    await purge(side)
    assert (await take_inventory(side.database, side.store, "tasks")).is_empty


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
async def test_rows_of_others_that_refer_to_it_are_in_the_way(side: Any) -> None:
    await side.fill()
    before = await side.everything()
    await side.database.execute(
        "CREATE TABLE report (id INTEGER PRIMARY KEY, node INTEGER REFERENCES tasks__nodes (id))"
    )
    await side.database.execute("INSERT INTO report VALUES (1, 1)")
    with pytest.raises(PurgeFailed, match=r"Nothing was removed\.$"):
        await purge(side)
    assert await side.everything() == before
    await side.database.execute("DROP TABLE report")
    await purge(side)
    assert (await take_inventory(side.database, side.store, "tasks")).is_empty
