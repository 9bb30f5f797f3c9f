"""A migration that was written from models leads to these models, on every engine."""

from typing import Any

import pytest
from sqlalchemy import inspect, select

from nexus.data.database import Database
from nexus.data.migrations import downgrade, drift, status, tables_of, upgrade, write_revision

FIRST = """
import datetime as dt
import decimal
import enum
import uuid

from sqlalchemy import *
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class State(enum.Enum):
    OPEN = "open"
    DONE = "done"


class Lower(TypeDecorator):
    impl = String(30)
    cache_ok = True


class Base(DeclarativeBase):
    pass


links = Table(
    "links",
    Base.metadata,
    Column("item_id", ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Item(Base):
    __tablename__ = "items"
    __table_args__ = (
        Index("by_both", "name", "state"),
        UniqueConstraint("code", "name"),
        CheckConstraint("amount >= 0", name="positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), index=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    state: Mapped[State]
    kind: Mapped[str] = mapped_column(Enum("a", "b", name="kind", native_enum=False))
    amount: Mapped[decimal.Decimal] = mapped_column(Numeric(10, 2))
    ratio: Mapped[float]
    done: Mapped[bool] = mapped_column(default=False)
    big: Mapped[int] = mapped_column(BigInteger)
    small: Mapped[int] = mapped_column(SmallInteger)
    day: Mapped[dt.date]
    at: Mapped[dt.datetime]
    at_zone: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    time: Mapped[dt.time]
    key: Mapped[uuid.UUID]
    text: Mapped[str] = mapped_column(Text)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    extra: Mapped[dict] = mapped_column(JSON)
    better: Mapped[dict] = mapped_column(JSON().with_variant(postgresql.JSONB(), "postgresql"))
    lower: Mapped[str] = mapped_column(Lower)
    length: Mapped[dt.timedelta] = mapped_column(Interval)
    maybe: Mapped[str | None] = mapped_column(String(10), server_default="x")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"))
    tags: Mapped[list["Tag"]] = relationship(secondary="links")


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), index=True, unique=True)
"""
SECOND = (
    FIRST.replace('DONE = "done"', 'DONE = "done"\n    GONE = "gone"')
    .replace("String(50), index=True", "String(80), index=True")
    .replace("    raw: Mapped[bytes] = mapped_column(LargeBinary)\n", "")
    .replace("    key: Mapped[uuid.UUID]\n", "")
    .replace(
        "maybe: Mapped[str | None] = mapped_column(String(10), server_default",
        "maybe: Mapped[str] = mapped_column(String(10), server_default",
    )
    .replace("small: Mapped[int] = mapped_column(SmallInteger)", "small: Mapped[int]")
    .replace('UniqueConstraint("code", "name"),', 'UniqueConstraint("name", "kind"),')
    .replace("mapped_column(String(20), unique=True)", "mapped_column(String(20))")
    .replace(
        'parent_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"))',
        'tag_id: Mapped[int | None] = mapped_column(ForeignKey("tags.id"))',
    )
    + """

class Mood(enum.Enum):
    GOOD = 1


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    state: Mapped[State]
    mood: Mapped[Mood]
"""
).replace("class Tag(Base):", "class Tag(Base):", 1)


def item(module: Any, **changes: Any) -> Any:
    values = {
        "name": "n",
        "code": "c",
        "state": module.State.OPEN,
        "kind": "a",
        "amount": module.decimal.Decimal("1.50"),
        "ratio": 0.5,
        "big": 2**40,
        "small": 5,
        "day": module.dt.date(2024, 2, 29),
        "at": module.dt.datetime(2024, 2, 29, 12, 30),
        "at_zone": module.dt.datetime(2024, 2, 29, 12, 30, tzinfo=module.dt.UTC),
        "time": module.dt.time(12, 30),
        "text": "t" * 1000,
        "extra": {"a": [1, None, "x"]},
        "better": {"b": True},
        "lower": "low",
        "length": module.dt.timedelta(hours=5),
    }
    return module.Item(**{**values, **changes})


async def test_from_nothing_to_models_to_other_models_and_back(
    workshop: Any, database: Database
) -> None:
    first = workshop.load("tasks", FIRST)
    written = await write_revision("tasks", first.folder, first.models, "first tables")
    assert written is not None
    assert written.file == first.folder / "migrations/versions/0001_first_tables.py"
    assert written.warnings == ()
    done = await upgrade(database, "tasks", first.folder, first.models)
    assert [each.name for each in done] == ["0001_first_tables"]
    assert await drift(database, first.models) == []
    assert await write_revision("tasks", first.folder, first.models, "nothing") is None
    async with first.session() as session:
        session.add(item(first.module, raw=b"\0\xff", key=first.module.uuid.UUID(int=7)))
    async with first.session(read_only=True) as session:
        found = (await session.scalars(select(first.module.Item))).one()
        assert (found.raw, found.key.int, found.extra) == (b"\0\xff", 7, {"a": [1, None, "x"]})
        assert found.better == {"b": True}
        assert found.length == first.module.dt.timedelta(hours=5)
        assert found.maybe == "x"

    second = workshop.load("tasks", SECOND)
    expected = await drift(database, second.models)
    assert "The table tasks__notes is missing." in expected
    assert "The column tasks__items.raw is there, and no model has it." in expected
    written = await write_revision("tasks", second.folder, second.models, "Other, better tables!")
    assert written is not None
    assert written.file.name == "0002_other_better_tables.py"
    await upgrade(database, "tasks", second.folder, second.models)
    assert await drift(database, second.models) == []
    async with second.session() as session:
        found = (await session.scalars(select(second.module.Item))).one()
        assert (found.name, found.maybe) == ("n", "x")
        session.add(item(second.module, name="m", code="d", state=second.module.State.GONE))
        await session.flush()
        await session.delete(
            (
                await session.scalars(
                    select(second.module.Item).where(second.module.Item.name == "m")
                )
            ).one()
        )

    async with second.session() as session:  # a column that must have a value comes back
        await session.delete((await session.scalars(select(second.module.Item))).one())
    back = await downgrade(database, "tasks", second.folder, "-1", second.models)
    assert [each.name for each in back] == ["0002_other_better_tables"]
    left = await drift(database, first.models)
    # PostgreSQL cannot take a value of an enumeration away; the rest is as it was.
    assert left == []
    again = await upgrade(database, "tasks", second.folder, second.models)
    assert [each.name for each in again] == ["0002_other_better_tables"]
    assert await drift(database, second.models) == []

    await downgrade(database, "tasks", second.folder, "base", second.models)
    assert await tables_of(database, "tasks") == {"tasks__alembic_version"}
    if database.engine == "postgresql":
        async with second.session(read_only=True) as session:
            connection = await session.connection()
            assert await connection.run_sync(lambda sync: inspect(sync).get_enums()) == []
    await upgrade(database, "tasks", second.folder, second.models)
    assert await drift(database, second.models) == []
    assert (await status(database, "tasks", second.folder)).pending == ()


@pytest.mark.parametrize("engine", ["memory"], indirect=True)
async def test_a_migration_is_plain_and_speaks_of_no_engine(workshop: Any) -> None:
    first = workshop.load("tasks", FIRST)
    one = await write_revision("tasks", first.folder, first.models, "first tables")
    second = workshop.load("tasks", SECOND)
    two = await write_revision("tasks", second.folder, second.models, "second")
    assert one is not None
    assert two is not None
    for source in (one.source, two.source):
        assert "nexus" not in source
        assert str(first.folder) not in source
        assert "sqlite" not in source
        assert "###" not in source
        assert "schema=None" not in source
        compile(source, "x", "exec")
