"""Plugins with models, imported as an application does, on every engine."""

import itertools
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest

from nexus.data.database import Database
from nexus.data.models import Models, ModelSessions
from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.importer import GenerationImporter
from nexus.plugins.own_models import import_models

ITEMS = """
from sqlalchemy import Column, Enum, ForeignKey, Index, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
import enum


class State(enum.Enum):
    OPEN = "open"
    DONE = "done"


class Base(DeclarativeBase):
    pass


item_tags = Table(
    "item_tags",
    Base.metadata,
    Column("item_id", ForeignKey("items.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Item(Base):
    __tablename__ = "items"
    __table_args__ = (Index("by_state", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    state: Mapped[State] = mapped_column(default=State.OPEN)
    tags: Mapped[list["Tag"]] = relationship(secondary="item_tags", back_populates="items")
    notes: Mapped[list["Note"]] = relationship(back_populates="item", cascade="all, delete-orphan")


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), index=True)
    items: Mapped[list[Item]] = relationship(secondary=item_tags, back_populates="tags")


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    text: Mapped[str] = mapped_column(String(200))
    item: Mapped[Item] = relationship(back_populates="notes")
"""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Loaded:
    """One generation of a plugin's models."""

    name: str
    folder: Path
    package: str
    module: ModuleType
    models: Models
    sessions: ModelSessions

    @property
    def session(self) -> Any:
        return self.sessions.session

    async def create_all(self) -> None:
        async with self.session() as session:
            connection = await session.connection()
            for metadata in self.models.metadata:
                await connection.run_sync(metadata.create_all)


Load: TypeAlias = Callable[..., Awaitable[Loaded]]


class Workshop:
    """Writes plugins, and loads generation after generation of them."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.importer = GenerationImporter(BytecodeCache(None))
        self.importer.install()
        self._open: list[Loaded] = []

    def write(self, name: str, models: str | None, **migrations: str) -> Path:
        """Write a plugin; migrations by the names of their files."""
        folder = self.folder / name
        (folder / "schemas").mkdir(parents=True, exist_ok=True)
        if models is not None:
            (folder / "schemas" / "models.py").write_text(textwrap.dedent(models))
        for file, text in migrations.items():
            (folder / "migrations" / "versions").mkdir(parents=True, exist_ok=True)
            path = folder / "migrations" / "versions" / f"{file.lstrip('_')}.py"
            path.write_text(textwrap.dedent(text))
        return folder

    def load(self, name: str = "tasks", models: str | None = None) -> Loaded:
        """Load a new generation of a plugin, which is written first if its models are given."""
        folder = self.folder / name
        if models is not None or not folder.is_dir():
            self.write(name, models or ITEMS)
        package = self.importer.add(name, next(_numbers), folder, (f"plugins.{name}",))
        found = import_models(self.importer, package, name, folder)
        assert found is not None
        loaded = Loaded(
            name=name,
            folder=folder,
            package=package,
            module=self.importer.import_part(package, "schemas.models"),
            models=found,
            sessions=ModelSessions(self.database, found),
        )
        self._open.append(loaded)
        return loaded

    async def unload(self, loaded: Loaded) -> None:
        """Let go of a generation."""
        self._open.remove(loaded)
        await loaded.sessions.close()
        self.importer.remove(loaded.package)

    async def close(self) -> None:
        for each in tuple(self._open):
            await self.unload(each)
        self.importer.uninstall()


@pytest.fixture
async def workshop(database: Database, tmp_path: Path) -> AsyncIterator[Workshop]:
    async with AsyncExitStack() as stack:
        made = Workshop(tmp_path / "plugins", database)
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture
async def tasks(workshop: Workshop) -> Loaded:
    """A plugin with items, whose tables are there."""
    loaded = workshop.load()
    await loaded.create_all()
    return loaded
