"""What one kind of database exported, every kind imports, exactly."""

import asyncio
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nexus.data.database import Limits
from nexus.errors import PluginHasData
from nexus.transfer import Source, Target, export_plugin

ENGINES = ["sqlite", "postgresql", "mariadb"]


@pytest.mark.parametrize("source", ENGINES)
@pytest.mark.parametrize("target", ENGINES)
async def test_everything_arrives_as_it_was(
    make_side: Any, tmp_path: Path, source: str, target: str
) -> None:
    one, two = await make_side(source), await make_side(target)
    await one.fill()
    path = await one.export(tmp_path / "tasks.jsonl")

    imported = await two.take(path)

    assert await two.everything() == await one.everything()
    assert imported.counts.collections == {"empty": 0, "items": one.DOCUMENTS}
    assert imported.counts.secrets == ["key"]
    assert imported.notes == ()
    # And what moved on is the same once more, whatever engine was on the way.
    again = await two.export(tmp_path / "again.jsonl")
    assert _values(again) == _values(path)


def _values(path: Path) -> list[Any]:
    """Give the lines of a file without what tells of the database it comes from."""
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    for line in lines:
        for column in line.get("columns", ()):
            del column["type"]
        if "row" in line:
            line["row"] = [_in_utc(value) for value in line["row"]]
    # The secret has no value to come back with.
    return [line for line in lines[1:-1] if line != {"setting": "key", "secret": True}]


def _in_utc(value: Any) -> Any:
    if isinstance(value, dict) and "datetime" in value:
        return value["datetime"].removesuffix("+00:00")
    return value


async def test_numbers_go_on_after_those_that_came(
    make_side: Any, side: Any, tmp_path: Path
) -> None:
    source = await make_side("sqlite")
    await source.fill()
    await side.take(await source.export(tmp_path / "tasks.jsonl"))
    row = side.module.Every(text="new")
    await side.add(row)
    assert row.id == 10


async def test_foreign_keys_hold_afterwards(make_side: Any, side: Any, tmp_path: Path) -> None:
    source = await make_side("sqlite")
    await source.fill()
    await side.take(await source.export(tmp_path / "tasks.jsonl"))
    with pytest.raises(sa.exc.IntegrityError):
        await side.add(side.module.Node(id=50, parent_id=4711))
    with pytest.raises(sa.exc.IntegrityError):
        async with side.sessions.session() as session:
            await session.execute(sa.delete(side.module.Node).where(side.module.Node.id == 2))


async def test_secrets_are_in_no_file(side: Any, tmp_path: Path) -> None:
    await side.fill()
    side.secrets = {"key", "size"}  # which became a secret after it was stored
    path = await side.export(tmp_path / "tasks.jsonl")
    text = path.read_text(encoding="utf-8")
    assert side.SECRET not in text
    stored: Any = await side.store.get("config/tasks", "key")
    assert stored["secret"] not in text
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert {"setting": "key", "secret": True} in lines
    assert {"setting": "size", "secret": True} in lines


async def test_a_setting_that_is_a_secret_here_is_stored_as_one(
    side: Any, make_side: Any, tmp_path: Path
) -> None:
    await side.settings(size=5)
    path = await side.export(tmp_path / "tasks.jsonl")
    other = await make_side("sqlite")
    other.secrets = {"size"}
    await other.take(path)
    assert "secret" in await other.store.get("config/tasks", "size")
    assert (await other.values.read("tasks")).values == {"size": 5}


async def test_what_is_there_is_replaced_only_when_told(side: Any, tmp_path: Path) -> None:
    await side.fill()
    path = await side.export(tmp_path / "tasks.jsonl")
    before = await side.everything()
    await side.collections["items"].insert({"sku": "late"})
    await side.collections["empty"].insert({"n": 1})
    await side.store.set("data:tasks", "late", 1)
    await side.settings(late=1)
    await side.add(side.module.Every(id=500, text="late"), side.module.Node(id=77, parent_id=1))
    changed = await side.everything()
    with pytest.raises(PluginHasData, match=r"4 stored settings, 452 values, 1,202 documents"):
        await side.take(path)
    assert await side.everything() == changed

    asked: list[str] = []
    imported = await side.take(path, replace=True, confirm=asked.append)

    assert await side.everything() == before
    assert asked == [imported.replaced]
    assert "1,202 documents" in imported.replaced
    assert await side.store.get("data:tasks2", "other") == 1
    assert await side.store.get("nexus.seeded", "tasks2") == ["x"]
    assert await side.store.get("nexus.plugins", "tasks") == {"enabled": False}


async def test_an_answer_of_no_changes_nothing(side: Any, tmp_path: Path) -> None:
    await side.fill()
    path = await side.export(tmp_path / "tasks.jsonl")
    before = await side.everything()

    def no(_found: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await side.take(path, replace=True, confirm=no)
    assert await side.everything() == before


async def test_an_export_is_of_one_moment(side: Any, tmp_path: Path) -> None:
    await side.fill()
    before = await side.everything()
    blocks: list[bytes] = []

    async def write(block: bytes) -> None:
        if not blocks:  # the first of several: everything that follows is read after this
            await asyncio.create_task(_change(side))
        blocks.append(block)

    source = Source(plugin="tasks", secrets={"key"}, models=side.models)
    await export_plugin(side.database, side.store, source, write)
    assert len(blocks) > 2
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(b"".join(blocks))
    assert await side.everything() != before
    await side.take(path, replace=True)
    assert await side.everything() == before


async def _change(side: Any) -> None:
    import contextvars

    # As another request of the application: not in the export's own transaction.
    async def change() -> None:
        await side.collections["items"].insert({"sku": "late"})
        await side.add(side.module.Every(id=500, text="late"))
        await side.store.set("data:tasks", "late", 1)

    context = contextvars.Context()
    await asyncio.get_running_loop().create_task(change(), context=context)


async def test_neither_is_cut_off_by_the_limit_of_transactions(side: Any, tmp_path: Path) -> None:
    await side.fill()
    before = await side.everything()
    hasty = await side.open_again(Limits(transaction=0.05))
    path = tmp_path / "tasks.jsonl"
    with path.open("wb") as stream:

        async def write(block: bytes) -> None:
            await asyncio.sleep(0.1)
            stream.write(block)

        source = Source(plugin="tasks", secrets={"key"}, models=side.models)
        await export_plugin(hasty.database, hasty.store, source, write)

    async def prepare() -> Target:
        await asyncio.sleep(0.1)
        return Target(
            plugin="tasks", secrets=(), collections=hasty.collections, models=hasty.models
        )

    await hasty.take(path, replace=True, prepare=prepare)
    assert await side.everything() == before


async def test_without_models_the_database_tells_the_types(side: Any, tmp_path: Path) -> None:
    await side.fill()
    before = await side.everything()
    path = await side.export(tmp_path / "tasks.jsonl", models=None)
    await side.take(path, replace=True)
    assert await side.everything() == before


async def test_memory_stays_flat(side: Any, tmp_path: Path) -> None:
    await side.prepare()
    text = "x" * 60_000
    for start in range(0, 600, 50):
        await side.collections["items"].insert_many(
            {"sku": f"{start + i}", "text": text} for i in range(50)
        )
        await side.store.update("data:tasks", {f"{start + i}": text for i in range(50)})
        rows = [{"backwards": f"{start + i}", "raw": text.encode()} for i in range(50)]
        async with side.sessions.session() as session:
            await session.execute(sa.insert(side.module.Every), rows)
    path = tmp_path / "tasks.jsonl"
    tracemalloc.start()
    try:
        await side.export(path)
        exported = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        await side.take(path, replace=True)
        imported = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 120_000_000
    assert exported < 20_000_000
    assert imported < 30_000_000
