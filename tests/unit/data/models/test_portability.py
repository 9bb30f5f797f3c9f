"""What not every kind of database takes is told before it is tried."""

from collections.abc import Callable
from types import ModuleType

from nexus.data.models import adopt
from nexus.data.models.portability import portability

TOP = """
from sqlalchemy import *
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def told(module: Callable[..., ModuleType], columns: str) -> list[str]:
    models = adopt(module(TOP + columns), "tasks")
    assert models is not None
    return portability(models)


def test_sound_models_are_no_trouble(module: Callable[..., ModuleType]) -> None:
    columns = """
    name: Mapped[str] = mapped_column(String(50), index=True)
    text: Mapped[str] = mapped_column(Text)
    extra: Mapped[dict] = mapped_column(JSON().with_variant(postgresql.JSONB(), "postgresql"))
    state: Mapped[str] = mapped_column(Enum("a", name="state"))
"""
    assert told(module, columns) == []


def test_what_only_the_database_itself_refuses_is_told(
    module: Callable[..., ModuleType],
) -> None:
    columns = """
    text: Mapped[str] = mapped_column(Text(100))
    ratio: Mapped[float] = mapped_column(Double(53))
    name: Mapped[str] = mapped_column(String(50))
    size: Mapped[int]

Index("plain", Item.name.desc(), Item.size)
Index("lower", func.lower(Item.name).desc())
"""
    found = told(module, columns)
    assert len(found) == 3
    assert found[0].startswith("tasks__items.text: PostgreSQL takes no length of a Text.")
    assert found[1].startswith("tasks__items.ratio: MariaDB does not take it (You must specify")
    assert found[2].startswith("tasks__items: MariaDB has no indexes of expressions, as tasks__low")


def test_each_trouble_is_told_with_its_column(module: Callable[..., ModuleType]) -> None:
    columns = """
    name: Mapped[str]
    tags: Mapped[list] = mapped_column(postgresql.ARRAY(String(5)))
    text: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Enum("a"))
    part: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("ix", "part", mysql_length={"part": 10}),)
"""
    found = told(module, columns)
    assert len(found) == 5
    assert found[0].startswith("tasks__items.name: MariaDB needs a length.")
    assert "String(200)" in found[0]
    assert found[1].startswith("tasks__items.tags: SQLite does not take it")
    assert found[2].startswith("tasks__items.tags: MariaDB does not take it")
    assert found[3].startswith("tasks__items.state: PostgreSQL does not take it")
    assert found[4].startswith("tasks__items.text: MariaDB cannot index a TEXT as a whole.")
