"""What plugins have stored, looked at, removed and moved through the management API."""

import asyncio
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from nexus.plugins import PluginState
from nexus.plugins.generation import Generation
from nexus.transfer import DataDesk

SECRET = "hunter2-never-in-a-file"
SCHEMA = """
    def get_database_schema(self):
        return {
            "collections": {"items": {"indexes": [{"field": "sku", "unique": True}]}},
            "initial_data": {"items": [{"sku": "first"}], "greeting": "hello"},
        }

    async def initialize(self):
        await self.db.collection("items").insert({"n": 1})
        async with self.db.session() as session:
            await session.merge(Thing(id=uuid.UUID(int=7), name="thing"))
        return True
"""
TOP = "import uuid\nfrom .schemas.models import Thing"
MODELS = """
import uuid

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
SETTINGS = {
    "size": {"type": "integer", "default": 3},
    "key": {"type": "string", "secret": True, "default": ""},
}


def keeper(workshop: Any, name: str = "keeper") -> Path:
    folder: Path = workshop.plugin(
        name, SCHEMA, top=TOP, files={"schemas/models.py": MODELS}, configuration=SETTINGS
    )
    return folder


async def test_an_inventory_tells_what_there_is(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        await site.api("PATCH", "/plugins/keeper/config", json={"size": 5, "key": SECRET})
        answer = await site.api("GET", "/plugins/keeper/data")
        assert answer.json() == {
            "plugin": "keeper",
            "engine": "sqlite",
            "settings": ["key", "size"],
            "data": 1,
            "collections": [{"name": "items", "table": "keeper__items", "documents": 2}],
            "tables": [{"name": "things", "table": "keeper__things", "rows": 1}],
            "migrated": False,
            "revisions": [],
            "seeded": ["keeper", "keeper/items"],
            "others": [],
            "wish": None,
        }


async def test_what_a_plugin_may_be_using_is_not_removed(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        before = (await site.api("GET", "/plugins/keeper/data")).json()
        answer = await site.api("DELETE", "/plugins/keeper/data")
        assert answer.status_code == 409
        assert answer.json()["code"] == "plugin-data-in-use"
        assert "nexus plugin disable keeper" in answer.json()["detail"]
        assert (await site.api("GET", "/plugins/keeper/data")).json() == before
        assert site.state("keeper") is PluginState.RUNNING


async def test_a_failed_plugin_that_is_enabled_is_not_purged(workshop: Any) -> None:
    workshop.plugin("broken", code="def (")
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.FAILED
        assert (await site.api("DELETE", "/plugins/broken/data")).status_code == 409


async def test_a_purged_plugin_begins_from_nothing(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        await site.api("PATCH", "/plugins/keeper/config", json={"size": 5, "key": SECRET})
        await site.api("POST", "/plugins/keeper/disable")
        removed = await site.api("DELETE", "/plugins/keeper/data")
        assert removed.status_code == 200
        assert removed.json()["collections"][0]["documents"] == 2
        # It is still installed, and does not start by itself.
        assert site.state("keeper") is PluginState.DISABLED
        stored = await site.app.store.items("nexus.plugins")
        assert stored["keeper"] == {"enabled": False}
        config = (await site.api("GET", "/plugins/keeper/config")).json()["items"]
        assert {each["key"]: each["source"] for each in config} == {
            "size": "manifest.json",
            "key": "manifest.json",
        }
        left = (await site.api("GET", "/plugins/keeper/data")).json()
        assert {**left, "wish": None} == {
            "plugin": "keeper",
            "engine": "sqlite",
            "settings": [],
            "data": 0,
            "collections": [],
            "tables": [],
            "migrated": False,
            "revisions": [],
            "seeded": [],
            "others": [],
            "wish": None,
        }
        await site.api("POST", "/plugins/keeper/enable")
        assert site.state("keeper") is PluginState.RUNNING, site.reason("keeper")
        inventory = (await site.api("GET", "/plugins/keeper/data")).json()
        assert inventory["collections"][0]["documents"] == 2  # the first one, and initialize()'s
        assert inventory["tables"][0]["rows"] == 1
        assert inventory["data"] == 1


async def test_what_a_plugin_without_a_folder_has_left_is_removed(workshop: Any) -> None:
    folder = keeper(workshop)
    async with workshop.running() as site:
        await site.api("POST", "/plugins/keeper/disable")
    shutil.move(folder, workshop.root / "elsewhere")
    async with workshop.running() as site:
        assert (await site.api("GET", "/plugins/keeper")).status_code == 404
        found = (await site.api("GET", "/plugins/keeper/data")).json()
        assert found["wish"] is False
        removed = await site.api("DELETE", "/plugins/keeper/data")
        assert removed.json() == found
        assert (await site.api("GET", "/plugins/keeper/data")).status_code == 404
        assert (await site.api("DELETE", "/plugins/keeper/data")).status_code == 404
        shutil.move(workshop.root / "elsewhere", folder)
        await site.api("POST", "/plugins/rescan")
        await site.app.manager.settle()
        assert site.state("keeper") is PluginState.RUNNING, site.reason("keeper")


async def test_a_plugin_whose_folder_went_meanwhile_is_forgotten_whole(workshop: Any) -> None:
    folder = keeper(workshop)
    async with workshop.running() as site:
        await site.api("POST", "/plugins/keeper/disable")
        shutil.move(folder, workshop.root / "elsewhere")
        assert (await site.api("DELETE", "/plugins/keeper/data")).status_code == 200
        assert "keeper" not in site.app.manager.names()
        assert await site.app.store.items("nexus.plugins") == {}


async def test_a_plugin_does_not_start_while_it_is_purged(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        await site.api("POST", "/plugins/keeper/disable")
        with site.app.manager.at_rest("keeper"):
            enabling = asyncio.create_task(site.api("POST", "/plugins/keeper/enable"))
            answer = await enabling
            assert answer.json()["state"] == "disabled"
            assert answer.json()["reason"] == "Its data is being removed."
        await site.app.manager.settle()
        assert site.state("keeper") is PluginState.RUNNING


async def test_a_name_that_no_plugin_can_have_is_not_found(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        for name in ("nobody", "keeper__items", "Keeper", "nexus", "k%25", "keep_"):
            for method, path in (("GET", "data"), ("DELETE", "data"), ("GET", "export")):
                answer = await site.api(method, f"/plugins/{name}/{path}")
                assert answer.status_code == 404, (name, path)
                assert answer.json()["code"] == "plugin-not-found"


def lines_of(content: bytes) -> list[Any]:
    lines = content.split(b"\n")
    assert lines.pop() == b""
    before = content[: -len(lines[-1]) - 1]
    end = json.loads(lines[-1])
    assert end["sha256"] == hashlib.sha256(before).hexdigest()
    return [json.loads(line) for line in lines]


async def test_an_export_is_a_whole_file_without_secrets(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        await site.api("PATCH", "/plugins/keeper/config", json={"size": 5, "key": SECRET})
        answer = await site.api("GET", "/plugins/keeper/export")
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.headers["content-disposition"] == 'attachment; filename="keeper.jsonl"'
        assert SECRET not in answer.text
        lines = lines_of(answer.content)
        assert (lines[0]["plugin"], lines[0]["plugin_version"]) == ("keeper", "1.0.0")
        assert {"setting": "key", "secret": True} in lines
        # The models tell what SQLite keeps as text.
        row = next(each["row"] for each in lines if "row" in each)
        assert row == [{"uuid": "00000000-0000-0000-0000-000000000007"}, "thing"]
        assert lines[-1]["end"]["collections"] == {"items": 2}

        await site.api("POST", "/plugins/keeper/disable")
        stopped = lines_of((await site.api("GET", "/plugins/keeper/export")).content)
        assert stopped[1:-1] == lines[1:-1]


async def test_models_that_cannot_be_imported_are_no_hindrance(workshop: Any) -> None:
    folder = keeper(workshop)
    async with workshop.running() as site:
        await site.api("POST", "/plugins/keeper/disable")
        (folder / "schemas" / "models.py").write_text("raise SystemExit")
        lines = lines_of((await site.api("GET", "/plugins/keeper/export")).content)
        row = next(each["row"] for each in lines if "row" in each)
        assert row == ["00000000000000000000000000000007", "thing"]


async def test_an_export_that_nobody_reads_ends(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        plugin = site.plugin("keeper")
        await plugin.db.collection("items").insert_many({"text": "x" * 1000} for _ in range(3000))
        app = site.app
        desk = DataDesk(app.manager, app.database, app.store, app.parts.values)
        blocks = await desk.export("keeper")
        async for _ in blocks:
            break
        await blocks.aclose()
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert "nexus.export.keeper" not in names
        assert app.database.figures()["pool_in_use"] == 0


async def test_settings_can_be_changed_while_others_are_removed(workshop: Any) -> None:
    keeper(workshop)
    async with workshop.running() as site:
        await site.api("POST", "/plugins/keeper/disable")
        for number in range(10):
            changes = {"json": {"size": number}}
            done = await asyncio.gather(
                site.api("PATCH", "/plugins/keeper/config", **changes),
                site.api("DELETE", "/plugins/keeper/data"),
                site.api("PATCH", "/plugins/keeper/config", **changes),
            )
            assert [each.status_code for each in done] == [200, 200, 200]
            stored = await site.app.store.items("config/keeper")
            config = (await site.api("GET", "/plugins/keeper/config")).json()["items"]
            shown = next(each for each in config if each["key"] == "size")
            assert (shown["source"] == "stored") is ("size" in stored)


async def test_duplicates_of_an_older_generation_show_in_the_health_until_they_are_gone(
    workshop: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nexus.plugins.finishing._PAUSE", 0.01)
    schema = """
    def get_database_schema(self):
        return {{"collections": {{"items": {{"indexes": [{indexes}]}}}}}}
"""
    folder = workshop.plugin("keeper", schema.format(indexes=""))
    async with workshop.running() as site:
        old = site.plugin("keeper").db.collection("items")
        source = (folder / "plugin.py").read_text()
        index = '{"field": "sku", "unique": True}'
        (folder / "plugin.py").write_text(source.replace('"indexes": []', f'"indexes": [{index}]'))
        retire = Generation.retire

        async def write_at_last(generation: Generation) -> None:
            await old.insert({"_id": "a", "sku": "same"})
            await old.insert({"_id": "b", "sku": "same"})
            await retire(generation)

        monkeypatch.setattr(Generation, "retire", write_at_last)
        await site.api("POST", "/plugins/keeper/reload")
        monkeypatch.undo()

        async def health() -> dict[str, Any]:
            answer = await site.api("GET", "/plugins/keeper/health")
            found: dict[str, Any] = answer.json()
            return found

        found = await health()
        assert found["healthy"] is False
        assert "a and b both have sku = 'same'" in found["message"]
        assert found["components"]["changes"]["status"] == "unhealthy"

        await site.plugin("keeper").db.collection("items").delete("b")
        async with asyncio.timeout(20):
            while not (await health())["healthy"]:
                await asyncio.sleep(0.05)


INDEXED = """
    def get_database_schema(self):
        return {{"collections": {{"items": {{"indexes": {indexes}}}}}}}

    async def initialize(self):
        await self.db.collection("items").insert({{"sku": {sku!r}, "price": {sku!r}}})
        return {starts}
"""


def indexed(workshop: Any, *fields: str, sku: str, starts: bool = True) -> None:
    indexes = [{"field": field} for field in fields]
    workshop.plugin("keeper", INDEXED.format(indexes=indexes, sku=sku, starts=starts))


async def key_columns(site: Any) -> int:
    rows = await site.app.database.fetch_all(
        "SELECT name FROM pragma_table_info('keeper__items') WHERE name LIKE 'k1%'"
    )
    return len(rows)


async def test_a_generation_that_was_relieved_itself_removes_nothing_that_its_successor_needs(
    workshop: Any, monkeypatch: Any
) -> None:
    indexed(workshop, sku="first")
    retire, may_end = Generation.retire, asyncio.Event()

    async def retire_late(generation: Generation) -> None:
        if generation.number == 1:
            await may_end.wait()
        await retire(generation)

    monkeypatch.setattr(Generation, "retire", retire_late)
    monkeypatch.setattr("nexus.plugins.controller._RETIREMENT_WORTH_WAITING_FOR", 0.01)
    async with workshop.running() as site:
        indexed(workshop, "price", sku="second")
        await site.api("POST", "/plugins/keeper/reload")
        indexed(workshop, "price", "sku", sku="third")
        await site.api("POST", "/plugins/keeper/reload")
        controller = site.app.manager.controller("keeper")
        await workshop.until(
            lambda: len(controller._endings._tasks) == 1
        )  # the second one has ended
        items = site.plugin("keeper").db.collection("items")
        assert await key_columns(site) == 2

        may_end.set()
        await workshop.until(lambda: not controller._endings)

        assert await key_columns(site) == 2
        for sku in ("first", "second", "third"):
            assert await items.count({"sku": sku, "price": sku}) == 1
        assert (await items.find(sort="sku"))[0]["sku"] == "first"


async def test_a_reload_that_fails_leaves_indexes_as_they_were(workshop: Any) -> None:
    indexed(workshop, "sku", sku="first")
    async with workshop.running() as site:
        indexed(workshop, "price", sku="second", starts=False)
        assert (await site.api("POST", "/plugins/keeper/reload")).status_code == 409
        controller = site.app.manager.controller("keeper")
        await workshop.until(lambda: not controller._endings)

        assert await key_columns(site) == 1
        items = site.plugin("keeper").db.collection("items")
        assert await items.count({"sku": "second"}) == 1
        inner = await items._reading("count")
        assert inner._is_settled
