"""Models get the names of their plugin, and everything still finds everything."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable

from nexus.data.models import adopt
from nexus.errors import ModelsInvalid

Make = Callable[..., ModuleType]

_dialect: Any = PGDialect
POSTGRESQL = _dialect()

BASE = """
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass
"""
ITEM = """
class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), index=True)
"""


def adopted(module: ModuleType, plugin: str = "tasks") -> Any:
    models = adopt(module, plugin)
    assert models is not None
    return models


def test_tables_get_the_prefix(module: Make) -> None:
    loaded = module(BASE + ITEM)
    models = adopted(loaded)
    assert list(models.tables) == ["tasks__items"]
    assert loaded.Item.__tablename__ == "tasks__items"
    assert str(select(loaded.Item.name)) == "SELECT tasks__items.name \nFROM tasks__items"


def test_adopting_again_changes_nothing(module: Make) -> None:
    loaded = module(BASE + ITEM)
    adopted(loaded)
    before = str(CreateTable(loaded.Item.__table__))
    assert list(adopted(loaded).tables) == ["tasks__items"]
    assert str(CreateTable(loaded.Item.__table__)) == before


def test_a_table_that_has_the_prefix_keeps_its_name(module: Make) -> None:
    loaded = module(BASE + ITEM.replace('"items"', '"tasks__items"'))
    assert list(adopted(loaded).tables) == ["tasks__items"]


def test_a_plugin_with_a_long_name_has_a_short_prefix(module: Make) -> None:
    plugin = "a_plugin_with_a_rather_long_name"
    [table] = adopted(module(BASE + ITEM), plugin).tables
    assert table.endswith("__items")
    assert len(table) < len(plugin)


def test_foreign_keys_by_name_follow(module: Make) -> None:
    loaded = module(
        BASE
        + ITEM
        + """
class Part(Base):
    __tablename__ = "parts"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    other_id: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["other_id"], ["parts.id"], name="other"),)
"""
    )
    adopted(loaded)
    text = str(CreateTable(loaded.Part.__table__))
    assert "fk_tasks__parts_item_id FOREIGN KEY(item_id) REFERENCES tasks__items (id)" in text
    assert "tasks__other FOREIGN KEY(other_id) REFERENCES tasks__parts (id)" in text


def test_relationships_by_name_follow(module: Make) -> None:
    loaded = module(
        BASE
        + """
class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list["Tag"]] = relationship(secondary="links")
    notes: Mapped[list["Note"]] = relationship(
        primaryjoin="foreign(notes.c.item) == items.c.id", viewonly=True
    )

class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)

class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[int]

links = Table(
    "links",
    Base.metadata,
    Column("item_id", ForeignKey("items.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)
"""
    )
    adopted(loaded)
    assert "JOIN tasks__links AS" in str(select(loaded.Item).join(loaded.Item.tags))
    assert "tasks__notes.item = tasks__items.id" in str(select(loaded.Item).join(loaded.Item.notes))


def test_tables_are_found_by_either_name(module: Make) -> None:
    loaded = module(BASE + ITEM)
    adopted(loaded)
    tables = loaded.Base.metadata.tables
    assert tables["items"] is tables["tasks__items"] is loaded.Item.__table__
    assert tables.get("items") is loaded.Item.__table__
    assert tables.get("other") is None
    assert "items" in tables
    assert "other" not in tables
    assert list(tables) == ["tasks__items"]


def test_indexes_and_constraints_get_names_that_no_other_plugin_has(module: Make) -> None:
    loaded = module(
        BASE
        + """
class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    kind: Mapped[str] = mapped_column(String(50), index=True)
    price: Mapped[int]
    __table_args__ = (
        Index("by_kind", "kind", "price"),
        UniqueConstraint("kind", "name"),
        UniqueConstraint("price", name="one_price"),
        CheckConstraint("price > 0", name="dear"),
    )
"""
    )
    adopted(loaded)
    table = loaded.Item.__table__
    assert {index.name for index in table.indexes} == {"ix_tasks__items_kind", "tasks__by_kind"}
    names = {each.name for each in table.constraints} - {None}
    assert names == {
        "uq_tasks__items_name",
        "uq_tasks__items_kind_name",
        "tasks__one_price",
        "tasks__dear",
    }


def test_an_author_s_naming_convention_is_kept(module: Make) -> None:
    loaded = module(
        """
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(MappedAsDataclass, DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "idx_%(column_0_label)s",
            "uq": "unique_%(table_name)s_%(column_0_name)s",
            "ck": "check_%(table_name)s_%(constraint_name)s",
            "pk": "key_%(table_name)s",
        }
    )

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    kind: Mapped[str] = mapped_column(String(50), index=True)
    __table_args__ = (CheckConstraint("id > 0", name="positive"),)
"""
    )
    adopted(loaded)
    table = loaded.Item.__table__
    assert {index.name for index in table.indexes} == {"idx_tasks__items_kind"}
    assert {each.name for each in table.constraints} == {
        "unique_tasks__items_name",
        "tasks__check_items_positive",
        "key_tasks__items",
    }


def test_a_name_made_of_long_names_is_shortened(module: Make) -> None:
    column = "a_column_with_a_name_that_is_long_in_itself_and_longer"
    loaded = module(BASE + ITEM.replace("name:", f"{column}:"))
    adopted(loaded)
    [index] = loaded.Item.__table__.indexes
    assert index.name.startswith("ix_tasks__items_a_column")
    assert len(index.name) == 63
    assert index.name in str(CreateIndex(index).compile(dialect=POSTGRESQL))


def test_types_and_sequences_carry_the_prefix(module: Make) -> None:
    loaded = module(
        """
import enum
from sqlalchemy import *
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass

class State(enum.Enum):
    OPEN = 1

shared = Enum("a", "b", name="shared")

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(Sequence("numbers"), primary_key=True)
    state: Mapped[State]
    one: Mapped[str] = mapped_column(shared)
    two: Mapped[str] = mapped_column(shared)
    many: Mapped[list[str]] = mapped_column(postgresql.ARRAY(Enum("x", name="many")))
"""
    )
    adopted(loaded)
    text = str(CreateTable(loaded.Item.__table__).compile(dialect=POSTGRESQL))
    assert "state tasks__state" in text
    assert text.count("tasks__shared") == 2
    assert "many tasks__many[]" in text
    assert loaded.Item.__table__.c.id.default.name == "tasks__numbers"


def test_inheritance_and_several_bases_are_adopted(module: Make) -> None:
    loaded = module(
        BASE
        + """
class Other(DeclarativeBase):
    pass

class Owner(Base):
    __tablename__ = "owners"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(10))
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "owner"}

class Firm(Owner):
    __tablename__ = "firms"
    id: Mapped[int] = mapped_column(ForeignKey("owners.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "firm"}

class Person(Owner):
    __mapper_args__ = {"polymorphic_identity": "person"}

class Log(Other):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)

loose = Table("loose", MetaData(), Column("id", Integer, primary_key=True))
mapper_registry = registry()

@mapper_registry.mapped
class Plain:
    __tablename__ = "plain"
    id = Column(Integer, primary_key=True)
"""
    )
    models = adopted(loaded)
    assert sorted(models.tables) == [
        "tasks__firms",
        "tasks__log",
        "tasks__loose",
        "tasks__owners",
        "tasks__plain",
    ]
    assert "tasks__owners JOIN tasks__firms" in str(select(loaded.Firm))


def test_a_module_without_models_has_none(module: Make) -> None:
    loaded = module("from pydantic import BaseModel\nclass Item(BaseModel):\n    name: str\n")
    assert adopt(loaded, "tasks") is None


def test_a_base_without_tables_is_no_trouble(module: Make) -> None:
    assert adopted(module(BASE)).tables == {}


def test_classes_of_others_that_were_imported_are_left_alone(module: Make) -> None:
    other = module(BASE + ITEM, "nexus_generations.wishes_1")
    adopted(other, "wishes")
    loaded = module(
        "from nexus_generations.wishes_1.schemas.models import Item as Wish\n" + BASE + ITEM
    )
    assert list(adopted(loaded).tables) == ["tasks__items"]
    assert loaded.Wish.__tablename__ == "wishes__items"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            BASE + ITEM + '    __table_args__ = {"schema": "other"}\n',
            ["table 'items' has the schema 'other'", "Leave it out"],
        ),
        (
            BASE.replace("pass", 'metadata = MetaData(schema="other")') + ITEM,
            ["the schema 'other'"],
        ),
        (
            BASE + ITEM.replace('"items"', f'"{"i" * 60}"'),
            ["too long", "67 characters", "at most 56 characters"],
        ),
        (
            BASE + ITEM + f'    __table_args__ = (Index("{"i" * 60}", "name"),)\n',
            ["of an index or a constraint is too long"],
        ),
        (
            BASE + ITEM + ITEM.replace("Item", "Other").replace('"items"', '"tasks__items"'),
            ["table 'items'", "would both be called 'tasks__items'"],
        ),
        (
            BASE + ITEM.replace('"items"', '"alembic_version"'),
            ["the table of its migrations", "Give it another name"],
        ),
        (
            BASE + ITEM + "    part: Mapped['Missing'] = relationship()\n",
            ["Missing"],
        ),
        (
            BASE
            + ITEM
            + "    kind: Mapped[str] = mapped_column(Enum('a', name='kind', schema='other'))\n",
            ["type 'kind' of", "the schema 'other'"],
        ),
    ],
)
def test_what_cannot_be_a_plugin_s_own_is_refused(
    module: Make, source: str, words: list[str]
) -> None:
    loaded = module(source)
    with pytest.raises(ModelsInvalid) as caught:
        adopt(loaded, "tasks")
    assert "plugin 'tasks'" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_base_of_somebody_else_is_refused(module: Make) -> None:
    other = module(BASE, "some_library")
    loaded = module("from some_library.schemas.models import *\n" + ITEM)
    with pytest.raises(ModelsInvalid, match="Item gets its MetaData from Base in some_library"):
        adopt(loaded, "tasks")
    assert other.Base.metadata.tables["items"].name == "items"


def test_a_table_in_the_metadata_of_another_plugin_is_refused(module: Make) -> None:
    other = module(BASE + ITEM, "nexus_generations.wishes_1")
    adopted(other, "wishes")
    loaded = module(
        "from nexus_generations.wishes_1.schemas.models import *\n"
        'mine = Table("mine", Base.metadata, Column("id", Integer, primary_key=True))\n'
    )
    with pytest.raises(ModelsInvalid, match="mine is in the MetaData of"):
        adopt(loaded, "tasks")
