"""A plugin's models are found in schemas/models.py, by a host and beside a class."""

import contextvars
import importlib
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nexus.errors import ModelsInvalid, PluginLoadError
from nexus.manifest import read_manifest
from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.detached import detached_context
from nexus.plugins.host import Blueprint
from nexus.plugins.importer import GenerationImporter
from nexus.plugins.in_process import InProcessHost, InProcessPlugin
from nexus.plugins.own_models import has_models, models_beside

PLUGIN = """
from nexus.plugins import BasePlugin
{more}

class Tasks(BasePlugin):
    async def initialize(self):
        return True
"""
MODELS = """
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
"""

Write = Callable[..., Path]
_numbers = itertools.count(1)


@pytest.fixture
async def host() -> AsyncIterator[InProcessHost]:
    made = InProcessHost(GenerationImporter(BytecodeCache(None)))
    yield made
    await made.close()


async def load(host: InProcessHost, folder: Path) -> InProcessPlugin:
    manifest = read_manifest(folder).manifest
    assert manifest is not None
    blueprint = Blueprint(
        manifest=manifest, folder=folder, own_names=("plugins.tasks",), number=next(_numbers)
    )
    context = detached_context(Any)  # type: ignore[arg-type]  # nobody looks at it
    return await host.load(blueprint, context, contextvars.copy_context())


def write(write_plugin: Write, models: str | None, more: str = "") -> Path:
    files = {"plugin.py": PLUGIN.format(more=more)}
    if models is not None:
        files["schemas/models.py"] = models
    return write_plugin("plugins/tasks", files)


async def test_a_host_gives_the_models_with_their_plugin_s_names(
    write_plugin: Write, host: InProcessHost
) -> None:
    more = "from .schemas.models import Item\nTABLE = Item.__tablename__"
    hosted = await load(host, write(write_plugin, MODELS, more))
    models = await hosted.models()
    assert models is not None
    assert list(models.tables) == ["tasks__items"]
    # Whatever the plugin's code makes of the names is right, too.
    module: Any = sys.modules[type(hosted.plugin).__module__]
    assert module.TABLE == "tasks__items"
    await hosted.close()


async def test_a_plugin_without_models_has_none(write_plugin: Write, host: InProcessHost) -> None:
    hosted = await load(host, write(write_plugin, None))
    assert await hosted.models() is None
    await hosted.close()


async def test_models_that_are_no_tables_are_none(write_plugin: Write, host: InProcessHost) -> None:
    hosted = await load(host, write(write_plugin, "from pydantic import BaseModel\n"))
    assert await hosted.models() is None
    await hosted.close()


@pytest.mark.parametrize(
    ("models", "kind", "words"),
    [
        ("x = 1\ny = = 2\n", PluginLoadError, r"models.py, line 2"),
        ("import nothing_like_that\n", PluginLoadError, "'nothing_like_that', which is not"),
        ("1 / 0\n", PluginLoadError, r"ZeroDivisionError at .*models.py, line 1"),
        ("raise SystemExit(3)\n", PluginLoadError, "SystemExit"),
        (MODELS + "    __table_args__ = {'schema': 'x'}\n", ModelsInvalid, "schema 'x'"),
    ],
)
async def test_what_cannot_be_imported_is_told_with_its_place(
    write_plugin: Write, host: InProcessHost, models: str, kind: Any, words: str
) -> None:
    hosted = await load(host, write(write_plugin, models))
    with pytest.raises(kind, match=words) as caught:
        await hosted.models()
    assert caught.value.data["plugin"] == "tasks"
    await hosted.close()


def test_a_folder_of_models_is_found(write_plugin: Write) -> None:
    assert has_models(write_plugin("plugins/tasks", {"schemas/models/__init__.py": ""}))
    assert not has_models(write_plugin("plugins/other", {"schemas/other.py": ""}))


# Without an application


@pytest.fixture
def beside(
    write_plugin: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Import a plugin as its own tests do, and give its class."""

    def make(models: str | None) -> Any:
        root = f"detached_{next(_numbers)}"
        files = {"plugin.py": PLUGIN.format(more="")}
        if models is not None:
            files["schemas/models.py"] = models
        write_plugin(f"{root}/tasks", files, permissions=["database.read", "database.write"])
        monkeypatch.syspath_prepend(str(tmp_path))
        return importlib.import_module(f"{root}.tasks.plugin").Tasks

    return make


def test_models_beside_a_class_are_adopted_once(beside: Callable[..., Any]) -> None:
    plugin_class = beside(MODELS)
    models = models_beside(plugin_class, "tasks")
    assert models is not None
    assert list(models.tables) == ["tasks__items"]
    assert models_beside(plugin_class, "tasks") is models
    package = plugin_class.__module__.removesuffix(".plugin")
    imported: Any = importlib.import_module(f"{package}.schemas.models")
    assert imported.Item.__table__ is models.tables["tasks__items"]


def test_beside_a_class_there_may_be_none(beside: Callable[..., Any]) -> None:
    assert models_beside(beside(None), "tasks") is None
    assert models_beside(type("Made", (), {"__module__": "builtins"}), "tasks") is None


async def test_a_plugin_object_uses_its_models(beside: Callable[..., Any]) -> None:
    from sqlalchemy import select

    plugin_class = beside(MODELS)
    plugin = plugin_class()
    package = plugin_class.__module__.removesuffix(".plugin")
    models: Any = importlib.import_module(f"{package}.schemas.models")
    async with plugin.db.session() as session:
        session.add(models.Item(name="a"))
    async with plugin.db.session(read_only=True) as session:
        assert (await session.scalars(select(models.Item.name))).all() == ["a"]
    other = plugin_class()
    async with other.db.session(read_only=True) as session:
        assert (await session.scalars(select(models.Item.name))).all() == []
