"""Tables made in place are what their models say, and migrations take them over."""

from typing import Any

import pytest

from nexus.data.database import Database
from nexus.data.migrations import (
    create_in_place,
    drift,
    prepare_models,
    status,
    tables_of,
    upgrade,
    write_revision,
)
from nexus.errors import TablesDiffer

TOP = """
import enum
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column as column

class Base(DeclarativeBase):
    pass

class Color(enum.Enum):
    RED = "r"
    BLUE = "b"

class Plain(sa.TypeDecorator):
    impl = sa.LargeBinary(300)
    cache_ok = True
"""

TYPES = [
    *("sa.String(1)", "sa.String(50)", "sa.String(300)", "sa.Unicode(40)", "sa.UnicodeText()"),
    *("sa.Text()", "sa.VARCHAR(20)", "sa.CHAR(7)", "sa.CHAR()", "sa.TEXT()"),
    *("sa.Integer()", "sa.BigInteger()", "sa.SmallInteger()", "sa.INTEGER()", "sa.BIGINT()"),
    *("sa.Float()", "sa.Float(10)", "sa.Float(24)", "sa.Float(25)", "sa.Float(53)"),
    *("sa.Float(asdecimal=True)", "sa.Double()", "sa.REAL()", "sa.FLOAT(5)", "sa.FLOAT(30)"),
    *("sa.Numeric()", "sa.Numeric(12)", "sa.Numeric(12, 4)", "sa.DECIMAL(9, 3)", "sa.NUMERIC(9)"),
    *("sa.Boolean()", "sa.Boolean(create_constraint=True, name='is_it')", "sa.BOOLEAN()"),
    *("sa.Date()", "sa.Time()", "sa.Time(timezone=True)", "sa.DateTime()", "sa.DATE()"),
    *("sa.DateTime(timezone=True)", "sa.TIMESTAMP()", "sa.TIMESTAMP(timezone=True)"),
    *("sa.Interval()", "sa.Interval(native=False)", "sa.Interval(second_precision=3)"),
    *("sa.LargeBinary()", "sa.LargeBinary(10)", "sa.LargeBinary(255)", "sa.LargeBinary(256)"),
    *("sa.LargeBinary(70_000)", "sa.LargeBinary(20_000_000)", "sa.PickleType()", "Plain()"),
    *("sa.Enum(Color)", "sa.Enum('a', 'b', name='ab')", "sa.Enum(Color, native_enum=False)"),
    *("sa.Enum(\"it's\", 'c,d', name='odd')", "sa.Enum(Color, native_enum=False, length=30)"),
    *("sa.JSON()", "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"),
    *("sa.Uuid()", "sa.Uuid(as_uuid=False)", "sa.Uuid(native_uuid=False)", "sa.UUID()"),
    "sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')",
    "sa.JSON().with_variant(postgresql.ARRAY(sa.String(9)), 'postgresql')",
]
NOT_ON_POSTGRESQL = [
    *("sa.Text(10)", "sa.Text(63)", "sa.Text(64)", "sa.Text(16383)", "sa.Text(16384)"),
    *("sa.Text(70_000)", "sa.Text(20_000_000)", "sa.UnicodeText(9)"),
    *("sa.BINARY(16)", "sa.VARBINARY(40)", "sa.BLOB()", "sa.DOUBLE()", "sa.DATETIME()"),
]
ONLY_ON_POSTGRESQL = ["sa.NCHAR(9)", "postgresql.INET()", "sa.Double(53)", "sa.DOUBLE_PRECISION()"]
ONLY_ON_MARIADB = [
    *("sa.NCHAR(9)", "sa.NVARCHAR(9)", "mysql.TINYINT()", "mysql.INTEGER(unsigned=True)"),
    *("sa.Text(100, collation='latin1_bin')", "mysql.TEXT(200, charset='latin1')"),
]

CONSTRAINTS = """
class Parent(Base):
    __tablename__ = "parents"
    id: Mapped[int] = column(primary_key=True)
    key: Mapped[int] = column(unique=True)

class Item(Base):
    __tablename__ = "items"
    __table_args__ = (
        sa.CheckConstraint("size > 0"),
        sa.CheckConstraint("size < 90", name="small"),
        sa.UniqueConstraint("name", "size"),
        sa.UniqueConstraint("name", name="by_name"),
        sa.Index("by_size", "size", "name"),
        sa.Index("by_both", "name", "size", unique=True),
        sa.Index("backwards", sa.text("size DESC")),
        sa.Index("some", "name", sqlite_where=sa.text("size > 5")),
        sa.Index("beginning", "text", mysql_length=20, mariadb_length=20),
        sa.ForeignKeyConstraint(["size", "name"], ["items.size2", "items.name2"]),
        sa.UniqueConstraint("size2", "name2"),
    )
    id: Mapped[int] = column(sa.Identity(), primary_key=True)
    name: Mapped[str] = column(sa.String(40), server_default="it's", index=True)
    name2: Mapped[str] = column(sa.String(40), server_default="x")
    size: Mapped[int] = column(server_default="5")
    size2: Mapped[int] = column(server_default=sa.text("5"), unique=True, index=True)
    twice: Mapped[int] = column(sa.Computed("size2 * 2", persisted=True))
    text: Mapped[str | None] = column(sa.Text, comment="long")
    made: Mapped[object] = column(sa.DateTime, server_default=sa.func.now())
    stamped: Mapped[object] = column(sa.TIMESTAMP, server_default=sa.func.now())
    flag: Mapped[bool] = column(server_default=sa.true())
    price: Mapped[object] = column(sa.Numeric(9, 2), server_default="1.50")
    color: Mapped[Color] = column(server_default="RED")
    self_id: Mapped[int | None] = column(sa.ForeignKey("items.id"))
    key: Mapped[int | None] = column(sa.ForeignKey("parents.key"), index=True)
    plain: Mapped[int | None] = column(sa.ForeignKey("parents.id"))
    cascade: Mapped[int | None] = column(sa.ForeignKey("parents.id", ondelete="CASCADE"))
    low: Mapped[int | None] = column(sa.ForeignKey("parents.id", ondelete="cascade"))
    null: Mapped[int | None] = column(sa.ForeignKey("parents.id", ondelete="SET NULL"))
    restrict: Mapped[int | None] = column(sa.ForeignKey("parents.id", ondelete="RESTRICT"))
    no_action: Mapped[int | None] = column(sa.ForeignKey("parents.id", ondelete="NO ACTION"))
    default: Mapped[int | None] = column(sa.ForeignKey("parents.id", ondelete="SET DEFAULT"))
    updated: Mapped[int | None] = column(sa.ForeignKey("parents.id", onupdate="CASCADE"))

class Link(Base):
    __tablename__ = "links"
    a: Mapped[int] = column(sa.ForeignKey("parents.id"), primary_key=True)
    b: Mapped[str] = column(sa.String(9), primary_key=True)
"""
EXPRESSIONS = """
class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = column(primary_key=True)
    name: Mapped[str] = column(sa.String(40))
    size: Mapped[int]

sa.Index("lower", sa.func.lower(Item.name), unique=True)
sa.Index("mixed", Item.size, sa.func.lower(Item.name), Item.id.desc())
sa.Index("odd", sa.func.replace(Item.name, "),'(", '"'))
sa.Index("sum", Item.size + 1)
sa.Index("default", sa.func.coalesce(Item.size, 0), sqlite_where=Item.size > 5)
sa.Index("cast", sa.cast(Item.size, sa.String(9)).desc())
sa.Index("text", sa.text("upper(name)"), "size")
"""


def every_type(engine: str) -> str:
    types = list(TYPES)
    if engine != "postgresql":
        types += NOT_ON_POSTGRESQL
    if engine == "postgresql":
        types += ONLY_ON_POSTGRESQL
    if engine == "mariadb":
        types += ONLY_ON_MARIADB
    source = TOP + 'class Item(Base):\n    __tablename__ = "items"\n'
    source += "    id: Mapped[int] = column(primary_key=True)\n"
    for number, type_ in enumerate(types):
        source += f"    c{number}: Mapped[object | None] = column({type_})\n"
    return source


async def taken_over(workshop: Any, database: Database, models: str) -> Any:
    """Make tables in place, write a migration, and start."""
    plugin = workshop.load("tasks", models)
    arguments = ("tasks", plugin.folder, plugin.models)
    await prepare_models(database, *arguments, environment="development")
    assert await drift(database, plugin.models) == []
    assert await write_revision("tasks", plugin.folder, plugin.models, "first") is not None
    await prepare_models(database, *arguments, environment="development")
    assert (await status(database, "tasks", plugin.folder)).pending == ()
    return plugin


async def test_every_type_is_found_as_it_was_declared(workshop: Any, database: Database) -> None:
    await taken_over(workshop, database, every_type(database.engine))


async def test_constraints_and_indexes_are_found_as_they_were_declared(
    workshop: Any, database: Database
) -> None:
    await taken_over(workshop, database, TOP + CONSTRAINTS)


@pytest.mark.parametrize("engine", ["memory", "sqlite", "postgresql"], indirect=True)
async def test_indexes_of_expressions_are_found_as_they_were_declared(
    workshop: Any, database: Database
) -> None:
    await taken_over(workshop, database, TOP + EXPRESSIONS)


@pytest.mark.parametrize("engine", ["memory", "sqlite", "postgresql"], indirect=True)
async def test_migrations_make_indexes_of_expressions_drop_them_and_keep_them(
    workshop: Any, database: Database
) -> None:
    plugin = workshop.load("tasks", TOP + EXPRESSIONS)
    await write_revision("tasks", plugin.folder, plugin.models, "first")
    await upgrade(database, "tasks", plugin.folder, plugin.models)
    assert await drift(database, plugin.models) == []
    insert = "INSERT INTO tasks__items (id, name, size) VALUES ({}, '{}', 1)"
    await database.execute(insert.format(1, "a"))

    # On SQLite this makes the table anew.
    lower, *others = EXPRESSIONS.partition('sa.Index("sum", Item.size + 1)\n')
    changed = workshop.load("tasks", TOP + lower.replace("String(40)", "Text") + others[-1])
    assert "The index tasks__sum of tasks__items is there, and no model has it." in await drift(
        database, changed.models
    )
    written = await write_revision("tasks", changed.folder, changed.models, "second")
    assert written is not None
    await upgrade(database, "tasks", changed.folder, changed.models)
    assert await drift(database, changed.models) == []
    with pytest.raises(Exception, match="tasks__lower"):
        await database.execute(insert.format(2, "A"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("sa.String(20)", "sa.String(30)", "The column tasks__items.c is VARCHAR.*20.*String.*30"),
        ("sa.Integer", "sa.String(30)", "The column tasks__items.c is INT.*in the model it is Str"),
        ("sa.Float(53)", "sa.Integer", "The column tasks__items.c is .*in the model it is Integer"),
        ("sa.String(20), index=True", "sa.String(20)", "The index ix_tasks__items_c .* is there"),
        ("sa.String(20)", "sa.String(20), unique=True", "unique constraint of tasks__items .c. is"),
        (
            "sa.ForeignKey('items.id')",
            "sa.ForeignKey('items.id', ondelete='CASCADE')",
            r"The foreign key of tasks__items \(c\) to tasks__items ON DELETE CASCADE is missing",
        ),
        ("sa.String(20)", "sa.String(20), nullable=False", "may be NULL; in the model it may not"),
    ],
)
async def test_tables_that_differ_are_not_taken_over_and_stay_as_they_are(
    workshop: Any, database: Database, before: str, after: str, told: str
) -> None:
    def models(type_: str) -> str:
        return TOP + (
            'class Item(Base):\n    __tablename__ = "items"\n'
            "    id: Mapped[int] = column(primary_key=True)\n"
            f"    c: Mapped[object | None] = column({type_})\n"
        )

    plugin = workshop.load("tasks", models(before))
    await create_in_place(database, plugin.models)
    async with plugin.session() as session:
        session.add(plugin.module.Item(id=1))
    changed = workshop.load("tasks", models(after))
    written = await write_revision("tasks", changed.folder, changed.models, "first")
    assert written is not None
    there = await tables_of(database, "tasks")
    with pytest.raises(TablesDiffer, match=f"tasks__items.*{told}.*Nothing was changed") as caught:
        await prepare_models(
            database, "tasks", changed.folder, changed.models, environment="development"
        )
    assert caught.value.data["tables"] == ["tasks__items"]
    assert await tables_of(database, "tasks") == there
    assert await drift(database, plugin.models) == []

    # What the error says to do works, and the rows are still there.
    written.file.unlink()
    plugin = workshop.load("tasks", models(before))
    arguments = ("tasks", plugin.folder, plugin.models)
    await write_revision(*arguments, "first")
    await prepare_models(database, *arguments, environment="development")
    if "nullable=False" not in after:  # which the row is in the way of
        changed = workshop.load("tasks", models(after))
        arguments = ("tasks", changed.folder, changed.models)
        await write_revision(*arguments, "second")
        await prepare_models(database, *arguments, environment="development")
        assert await drift(database, changed.models) == []
    rows = await database.fetch_all("SELECT id FROM tasks__items")
    assert [tuple(row) for row in rows] == [(1,)]


async def test_some_tables_made_in_place_are_no_beginning_for_migrations(
    workshop: Any, database: Database
) -> None:
    earlier = workshop.load("tasks", TOP + CONSTRAINTS.partition("class Item")[0])
    await create_in_place(database, earlier.models)
    plugin = workshop.load("tasks", TOP + CONSTRAINTS)
    await write_revision("tasks", plugin.folder, plugin.models, "first")
    with pytest.raises(TablesDiffer, match="The table tasks__links is missing"):
        await prepare_models(
            database, "tasks", plugin.folder, plugin.models, environment="development"
        )
    assert await tables_of(database, "tasks") == {"tasks__parents"}


async def test_migrations_that_mind_tables_which_are_there_run(
    workshop: Any, database: Database
) -> None:
    models = 'class Item(Base):\n    __tablename__ = "items"\n    id: Mapped[int] = column({})\n'
    plugin = workshop.load("tasks", TOP + models.format("primary_key=True"))
    await create_in_place(database, plugin.models)
    migration = """
    import sqlalchemy as sa
    from alembic import op

    revision = "0001"
    down_revision = None

    def upgrade():
        columns = sa.Column("id", sa.Integer, primary_key=True)
        op.create_table("tasks__items", columns, if_not_exists=True)
        op.add_column("tasks__items", sa.Column("size", sa.Integer))

    def downgrade():
        pass
    """
    source = TOP + models.format("primary_key=True") + "    size: Mapped[int | None]\n"
    workshop.write("tasks", source, _0001=migration)
    changed = workshop.load("tasks")
    await prepare_models(
        database, "tasks", changed.folder, changed.models, environment="development"
    )
    assert await drift(database, changed.models) == []
