"""Databases of every engine, with a plugin's things in them."""

import functools
import itertools
import os
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import pytest
import sqlalchemy as sa

from nexus.config import SecretBox, StoredValues
from nexus.data import SqlKeyValueStore
from nexus.data.collections import Collections, read_collections
from nexus.data.database import DEFAULT_LIMITS, Limits
from nexus.data.engines.opening import make_database
from nexus.data.models import ModelSessions, adopt
from nexus.data.url import parse_url
from nexus.errors import DatabaseUnavailable
from nexus.testing.servers import temporary_database
from nexus.transfer import DataFile, Importer, Source, Target, export_plugin, opened_file

ENGINES = ["sqlite", "postgresql", "mariadb"]
SCHEMA = {
    "items": {"indexes": [{"field": "sku", "unique": True}, {"fields": ["a", "b"]}]},
    "empty": {},
}
MODELS = """
import enum, uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column as column

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MOMENT_UTC = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
CLOCK = sa.Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb")


class Base(DeclarativeBase):
    pass


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


class Backwards(sa.TypeDecorator):
    impl = sa.String(50)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value and value[::-1]

    def process_result_value(self, value, dialect):
        return value and value[::-1]


class Node(Base):
    __tablename__ = "nodes"
    id: Mapped[int] = column(primary_key=True)
    parent_id: Mapped[int | None] = column(sa.ForeignKey("nodes.id"))
    owner_id: Mapped[int | None] = column(sa.ForeignKey("owners.id"))


class Owner(Base):
    __tablename__ = "owners"
    id: Mapped[int] = column(primary_key=True)
    best_id: Mapped[int | None] = column(sa.ForeignKey("nodes.id", use_alter=True))


class Every(Base):
    __tablename__ = "every"
    id: Mapped[int] = column(primary_key=True)
    text: Mapped[str | None] = column(sa.String(200))
    flag: Mapped[bool | None]
    number: Mapped[int | None] = column(sa.BigInteger)
    ratio: Mapped[float | None] = column(sa.Double)
    price: Mapped[Decimal | None] = column(sa.Numeric(12, 4))
    moment: Mapped[datetime | None] = column(MOMENT)
    moment_utc: Mapped[datetime | None] = column(MOMENT_UTC)
    day: Mapped[date | None]
    clock: Mapped[time | None] = column(CLOCK)
    span: Mapped[timedelta | None] = column(sa.Interval)
    guid: Mapped[uuid.UUID | None]
    raw: Mapped[bytes | None] = column(sa.LargeBinary)
    color: Mapped[Color | None] = column(sa.Enum(Color))
    json: Mapped[object | None] = column(sa.JSON)
    backwards: Mapped[str | None] = column(Backwards)
"""

_numbers = itertools.count()


def missing(what: str) -> None:
    """Skip the test, or fail where everything has to be there."""
    if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
        pytest.fail(f"no {what}")
    pytest.skip(f"no {what}")


def server_url(engine: str) -> str:
    if engine == "postgresql":
        return os.environ.get("NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test")
    return os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test")


class Side:
    """The plugin `tasks` in one database, with code of its own."""

    DOCUMENTS = 1200
    SECRET = "hunter2-never-in-a-file"

    open_again: Callable[..., Awaitable["Side"]]
    """Gives another side with the same database, with limits of its own."""

    def __init__(self, database: Any, url: str) -> None:
        self.database = database
        self.url = url
        self.store = SqlKeyValueStore(database)
        self.values = StoredValues(self.store, SecretBox.temporary())
        self.module = types.ModuleType(f"package_{next(_numbers)}.schemas.models")
        sys.modules[self.module.__name__] = self.module  # where Mapped[...] looks for names
        exec(compile(MODELS, "models.py", "exec"), vars(self.module))  # noqa: S102  our own
        models = adopt(self.module, "tasks")
        assert models is not None
        self.models = models
        self.sessions = ModelSessions(database, models)
        self.collections = Collections(database, "tasks", read_collections(SCHEMA))
        self.secrets = {"key"}

    async def close(self) -> None:
        await self.sessions.close()
        del sys.modules[self.module.__name__]

    async def prepare(self) -> Target:
        """Bring the tables there, as the start of a plugin would."""
        await self.collections.reconcile()
        async with self.sessions.session() as session:
            connection = await session.connection()
            for each in self.models.metadata:
                await connection.run_sync(each.create_all)
        return Target(
            plugin="tasks",
            secrets=self.secrets,
            collections=self.collections,
            models=self.models,
        )

    async def settings(self, **values: Any) -> None:
        async with self.values.exclusive("tasks"):
            await self.values.write("tasks", values, secrets=self.secrets)

    async def add(self, *rows: Any) -> None:
        async with self.sessions.session() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    async def fill(self) -> None:
        """Make tables and collections, and store something of everything."""
        await self.prepare()
        await _rows(self)
        await _references(self)
        await self.collections["items"].insert_many(
            {
                "sku": f"s{i}",
                "a": i,
                "b": [i],
                "when": datetime(2026, 1, 1, tzinfo=UTC),
                "u": UUID(int=i),
            }
            for i in range(self.DOCUMENTS)
        )
        first: Any = await self.collections["items"].find_one({"sku": "s0"})
        await self.collections["items"].update(first["_id"], {"text": "ü\u2028\x1f\"'\\"})
        await self.store.update("data:tasks", {f"n{i}": {"n": i} for i in range(450)})
        await self.store.set("data:tasks", "odd", {"surrogate": "\ud800", "null": None})
        await self.store.update(
            "nexus.seeded", {"tasks": ["n0"], "tasks/items": 3, "tasks2": ["x"]}
        )
        await self.store.set("data:tasks2", "other", 1)
        await self.store.set("nexus.plugins", "tasks", {"enabled": False})
        await self.settings(size=5, key=self.SECRET, nested={"a": [1, None]})

    async def export(self, path: Path, **source: Any) -> Path:
        source = {"secrets": self.secrets, "models": self.models, "version": "1.0.0", **source}
        with path.open("wb") as stream:

            async def write(block: bytes) -> None:
                stream.write(block)

            await export_plugin(self.database, self.store, Source(plugin="tasks", **source), write)
        return path

    async def take(self, path: Path, *, replace: bool = False, **options: Any) -> Any:
        with opened_file(path) as file:
            return await self.take_file(file, replace=replace, **options)

    async def take_file(self, file: DataFile, *, replace: bool = False, **options: Any) -> Any:
        prepare = options.pop("prepare", self.prepare)
        importer = Importer(self.database, self.store, self.values, prepare)
        return await importer.run(file, file.check(), replace=replace, **options)

    async def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Give all rows as the plugin sees them."""
        found: dict[str, list[dict[str, Any]]] = {}
        async with self.sessions.session(read_only=True) as session:
            for name in ("Every", "Node", "Owner"):
                model = getattr(self.module, name)
                rows = await session.scalars(sa.select(model).order_by(model.id))
                found[name] = [_plain(row) for row in rows]
            json = sa.select(self.module.Every.id, self.module.Every.json.is_(sa.null()))
            found["json is missing"] = [
                {"id": number, "is": bool(is_missing)}
                for number, is_missing in await session.execute(json.order_by("id"))
            ]
        return found

    async def everything(self) -> dict[str, Any]:
        """Give all that can be moved."""
        return {
            "rows": await self.rows(),
            "items": [each async for each in self.collections.dump("items")],
            "empty": [each async for each in self.collections.dump("empty")],
            "data": await self.store.items("data:tasks"),
            "seeded": [
                await self.store.get("nexus.seeded", key) for key in ("tasks", "tasks/items")
            ],
            "settings": {
                key: value
                for key, value in (await self.values.read("tasks")).values.items()
                if key not in self.secrets
            },
        }


async def _rows(side: Any) -> None:
    every = side.module.Every
    color = side.module.Color
    await side.add(
        every(
            id=1,
            text="Grüße \U0001f600 'x' \\ \"y\"\n",
            flag=True,
            number=2**62 + 1,
            ratio=0.1,
            price=Decimal("12345678.1234"),
            moment=datetime(2026, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001
            moment_utc=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            day=date(2026, 2, 3),
            clock=time(1, 2, 3, 4),
            span=timedelta(days=3, seconds=7),
            guid=UUID(int=5),
            raw=bytes(range(256)),
            color=color.BLUE,
            json={"a": [1, 2.5, None, True], "b": {"c": "ü"}, "decimal": "1"},
            backwards="abc",
        ),
        every(id=2),
        every(
            id=3, flag=False, number=-5, ratio=-1e300, price=Decimal("-0.0001"), text="", raw=b""
        ),
        every(id=4, json=[1], backwards="x", day=date(1, 1, 1), span=timedelta(seconds=-1)),
        every(id=5, json="text", moment_utc=_in_another_zone(side)),
        every(id=6, json=5, guid=UUID(int=2**128 - 1)),
        every(id=9, json=sa.JSON.NULL),
    )


def _in_another_zone(side: Any) -> datetime:
    """Only PostgreSQL knows zones; elsewhere a plugin stores UTC."""
    moment = datetime(2026, 7, 1, 23, 0, tzinfo=timezone(timedelta(hours=-5)))
    return moment if side.database.engine == "postgresql" else moment.astimezone(UTC)


async def _references(side: Any) -> None:
    """Rows that refer to later ones, to each other and to another table that refers back."""
    node, owner = side.module.Node, side.module.Owner
    await side.add(
        node(id=1), node(id=3, parent_id=1), node(id=2, parent_id=3), owner(id=1, best_id=2)
    )
    async with side.sessions.session() as session:
        await session.execute(sa.update(node).where(node.id == 1).values(parent_id=3, owner_id=1))


def _plain(row: Any) -> dict[str, Any]:
    values = {each.name: getattr(row, each.name) for each in type(row).__table__.columns}
    for name, value in values.items():
        if isinstance(value, datetime) and value.tzinfo is not None:
            # Only PostgreSQL gives the time zone back; the others keep UTC.
            values[name] = value.astimezone(UTC).replace(tzinfo=None)
        elif isinstance(value, Enum):
            values[name] = value.name
    return values


MakeSide: TypeAlias = Callable[[str], Awaitable[Side]]


@pytest.fixture
async def make_side(tmp_path: Path) -> AsyncIterator[MakeSide]:
    """Make a side with an empty database of a kind, as many as a test wants."""
    async with AsyncExitStack() as stack:

        async def open_side(url: str, limits: Limits = DEFAULT_LIMITS) -> Side:
            database = make_database(parse_url(url), limits=limits)
            await database.open()
            stack.push_async_callback(database.close)
            side = Side(database, url)
            stack.push_async_callback(side.close)
            side.open_again = functools.partial(open_side, url)
            return side

        async def make(engine: str) -> Side:
            if engine == "sqlite":
                url = f"sqlite:///{tmp_path / f'{next(_numbers)}.db'}"
            else:
                server = server_url(engine)
                try:
                    url = await stack.enter_async_context(temporary_database(server))
                except DatabaseUnavailable as error:
                    missing(f"{engine} at {parse_url(server).location}: {error.data['problem']}")
                    raise
            return await open_side(url)

        yield make


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return str(request.param)


@pytest.fixture
async def side(make_side: MakeSide, engine: str) -> Side:
    """A side with an empty database."""
    return await make_side(engine)
