"""What else keeps records in SQL: SQLAlchemy's ORM, and neosqlite with the interface of PyMongo.

neosqlite is synchronous. In an asyncio application it is called in a thread, since whatever else
the application does would wait for the disk otherwise; the figure without a thread stands beside.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

GROUPS = 10_000
BATCH = 10_000


def _fields(number: int) -> dict[str, Any]:
    return {
        "serial": number,
        "group": f"group {number % GROUPS}",
        "name": f"thing number {number}",
        "price": number % 997 + 0.5,
        "tags": ["new", "small"],
        "size": {"width": number % 31, "height": 12},
    }


class Orm:
    """A mapped class with the same fields, a session an operation."""

    def __init__(self, engine: Any) -> None:
        from sqlalchemy import JSON, String
        from sqlalchemy.ext.asyncio import async_sessionmaker
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase):
            type_annotation_map = {list[str]: JSON, dict[str, Any]: JSON}  # noqa: RUF012

        class Thing(Base):
            __tablename__ = "things"
            id: Mapped[int] = mapped_column(primary_key=True)
            serial: Mapped[int]
            group: Mapped[str] = mapped_column(String(50), index=True)
            name: Mapped[str] = mapped_column(String(50))
            price: Mapped[float]
            tags: Mapped[list[str]]
            size: Mapped[dict[str, Any]]

        self._engine, self._base, self._thing = engine, Base, Thing
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    @asynccontextmanager
    async def on_sqlite(cls, path: Path, stored: int) -> AsyncIterator[Self]:
        from sqlalchemy import event
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

        @event.listens_for(engine.sync_engine, "connect")
        def set_up(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.close()

        async with cls._filled(engine, stored) as orm:
            yield orm

    @classmethod
    @asynccontextmanager
    async def on_postgresql(cls, url: str, stored: int) -> AsyncIterator[Self]:
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
        async with cls._filled(engine, stored) as orm:
            yield orm

    @classmethod
    @asynccontextmanager
    async def _filled(cls, engine: Any, stored: int) -> AsyncIterator[Self]:
        from sqlalchemy import insert

        orm = cls(engine)
        async with engine.begin() as connection:
            await connection.run_sync(orm._base.metadata.create_all)
            for first in range(0, stored, BATCH):
                rows = [_fields(first + each) for each in range(BATCH)]
                await connection.execute(insert(orm._thing), rows)
        try:
            yield orm
        finally:
            await engine.dispose()

    async def insert(self, number: int) -> None:
        async with self._session() as session:
            session.add(self._thing(**_fields(number)))
            await session.commit()

    async def get(self, number: int) -> None:
        async with self._session() as session:
            assert await session.get(self._thing, number % 1000 + 1)

    async def find(self, number: int) -> None:
        from sqlalchemy import select

        wanted = select(self._thing).where(self._thing.group == f"group {number % 9000}").limit(10)
        async with self._session() as session:
            assert (await session.scalars(wanted)).all()


class MongoStyle:
    """A neosqlite collection, called in a thread.

    Attributes:
        in_a_thread: Whether it is; otherwise it holds up the event loop.
    """

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self._ids: list[Any] = []
        self.in_a_thread = True

    @property
    def name(self) -> str:
        return "neosqlite in a thread" if self.in_a_thread else "neosqlite, blocking the loop"

    @classmethod
    @contextmanager
    def opened(cls, path: Path, stored: int) -> Iterator[Self]:
        import neosqlite

        connection = neosqlite.Connection(str(path), check_same_thread=False)
        try:
            collection = connection["things"]
            made = cls(collection)
            for first in range(0, stored, BATCH):
                documents = [_fields(first + each) for each in range(BATCH)]
                made._ids += collection.insert_many(documents).inserted_ids[:100]
            collection.create_index("group")
            yield made
        finally:
            connection.close()

    async def insert(self, number: int) -> None:
        await self._do(lambda: self._collection.insert_one(_fields(number)))

    async def get(self, number: int) -> None:
        wanted = {"_id": self._ids[number % len(self._ids)]}
        assert await self._do(lambda: self._collection.find_one(wanted))

    async def find(self, number: int) -> None:
        wanted = {"group": f"group {number % 9000}"}
        assert await self._do(lambda: list(self._collection.find(wanted).limit(10)))

    async def _do(self, work: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(work) if self.in_a_thread else work()
