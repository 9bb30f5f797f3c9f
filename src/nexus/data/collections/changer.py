"""Changes the rows of a collection, each of them to be sure of what it changes."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from nexus.data.collections.changes import Changes, apply_changes, assign
from nexus.data.collections.conflict import duplicate_key
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.document import decode_document
from nexus.data.collections.identifier import make_id
from nexus.data.collections.path import Path
from nexus.data.collections.rows import RowMaker
from nexus.data.collections.sql import Sql, both, fill
from nexus.data.collections.statements import Statements
from nexus.data.collections.table import CollectionTable
from nexus.data.database import Database, Executor
from nexus.data.transaction import current_transaction
from nexus.errors import (
    AmbiguousUpsert,
    DuplicateKey,
    TransactionCollided,
    UniqueViolation,
    VersionConflict,
)

T = TypeVar("T")

_BATCH: Final = 500
_ATTEMPTS: Final = 5


class Changer:
    """Changes the rows of one table.

    Methods raise what `Collection` says, and `DuplicateKey` for what a unique index refuses.

    Args:
        database: Where the table is.
        table: The table.
        dialect: The engine's words.
        statements: Its statements.
        rows: Makes its rows.
    """

    def __init__(
        self,
        database: Database,
        table: CollectionTable,
        dialect: Dialect,
        statements: Statements,
        rows: RowMaker,
    ) -> None:
        self._database = database
        self._table = table
        self._dialect = dialect
        self._statements = statements
        self._rows = rows

    # One document

    async def insert(self, document_id: str, body: Any, row: Sequence[Any]) -> None:
        """Add a document with the row made of it."""
        try:
            await self._database.execute(self._statements.insert, row)
        except UniqueViolation as violation:
            raise await self._duplicate(violation, [(document_id, body)]) from violation

    async def insert_many(
        self, documents: Sequence[tuple[str, Any]], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Add documents with the rows made of them, all or none."""
        try:
            await self._database.execute_many(self._statements.insert, rows)
        except UniqueViolation as violation:
            raise await self._duplicate(violation, documents) from violation

    async def update_one(self, document_id: str, changes: Changes, expected: int | None) -> int:
        """Change the document with an id; give 0 where there is none."""
        key = self._dialect.text(document_id)
        if current_transaction(self._database) is None:
            # Two round trips where nobody else changes it meanwhile, which is nearly always.
            row = await self._database.fetch_one(self._statements.get, (key,))
            if row is None:
                return self._gone(document_id, expected)
            self._check_version(key, row[0], expected)
            body = decode_document(row[1])
            apply_changes(body, changes)
            if await self._write_over(row, document_id, body):
                return 1
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(self._statements.get_locked, (key,))
            if row is None:
                return self._gone(document_id, expected)
            await self._update_rows(transaction, [(key, *row)], changes, expected)
        return 1

    def _gone(self, document_id: str, expected: int | None) -> int:
        if expected is not None:
            raise self._conflict(document_id, expected, None)
        return 0

    async def replace(self, document_id: str, body: Any, expected: int | None) -> bool:
        """Put a document in the place of that with its id; say whether there was one."""
        if await self._write(self._database, document_id, body, expected):
            return True
        if expected is not None:
            raise await self._conflict_now(document_id, expected)
        return False

    async def delete_one(self, document_id: str, expected: int | None) -> int:
        """Remove the document with an id; give 0 where there is none."""
        key = self._dialect.text(document_id)
        if expected is None:
            return await self._database.execute(self._statements.delete, (key,))
        deleted = await self._database.execute(self._statements.delete_version, (key, expected))
        if not deleted:
            raise await self._conflict_now(document_id, expected)
        return deleted

    async def _write_over(self, row: Sequence[Any], document_id: str, body: Any) -> int:
        """Put a document in the place of the very one that was read: of that version and text."""
        values = self._rows.changed(document_id, body)
        try:
            return await self._database.execute(self._statements.update_same, (*values, *row))
        except UniqueViolation as violation:
            raise await self._duplicate(violation, [(document_id, body)]) from violation

    async def _write(
        self, executor: Executor, document_id: str, body: Any, version: int | None
    ) -> int:
        """Put a document in the place of that with its id, and with this version unless None."""
        values = self._rows.changed(document_id, body)
        try:
            if version is None:
                return await executor.execute(self._statements.update, values)
            return await executor.execute(self._statements.update_version, (*values, version))
        except UniqueViolation as violation:
            raise await self._duplicate(violation, [(document_id, body)]) from violation

    # Several documents, in a transaction

    async def _again_if_collided(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something that is a transaction, once more if it gave way to another one.

        Inside a transaction of the caller's, who alone can do all of it again, it is not.
        """
        if current_transaction(self._database) is None:
            for _ in range(_ATTEMPTS - 1):
                with suppress(TransactionCollided):
                    return await work()
        return await work()

    async def update_where(self, condition: Sql, changes: Changes, expected: int | None) -> int:
        """Change all documents that match, and give their number."""
        changed = await self._again_if_collided(
            lambda: self._update_where(condition, changes, expected)
        )
        if expected is not None and not changed:
            raise self._conflict(None, expected, None)
        return changed

    async def _update_where(self, condition: Sql, changes: Changes, expected: int | None) -> int:
        changed = 0
        async with self._database.transaction() as transaction:
            last: Any = self._dialect.text("")
            while rows := await self._locked(transaction, condition, last, _BATCH):
                await self._update_rows(transaction, rows, changes, expected)
                changed += len(rows)
                last = rows[-1][0]
        return changed

    async def delete_where(self, condition: Sql, expected: int | None) -> int:
        """Remove all documents that match, and give their number."""
        if expected is None:
            return await self._delete_where(self._database, condition)
        deleted = await self._again_if_collided(
            lambda: self._delete_version_where(condition, expected)
        )
        if not deleted:
            raise self._conflict(None, expected, None)
        return deleted

    async def _delete_version_where(self, condition: Sql, expected: int) -> int:
        async with self._database.transaction() as transaction:
            last: Any = self._dialect.text("")
            while rows := await self._locked(transaction, condition, last, _BATCH):
                for row in rows:
                    self._check_version(row[0], row[1], expected)
                last = rows[-1][0]
            one = Sql("version = ?", (expected,))
            return await self._delete_where(transaction, both([condition, one]))

    async def _locked(self, executor: Executor, condition: Sql, last: Any, count: int) -> Any:
        """Give id, version and text of the next documents, which nobody else can change."""
        sql = fill(
            f"SELECT id, version, doc FROM {self._table.name} WHERE @ AND id > @"  # noqa: S608
            f" ORDER BY id LIMIT @{self._dialect.lock}",
            condition,
            last,
            count,
        )
        return await executor.fetch_all(*self._dialect.finish(sql))

    async def _update_rows(
        self, executor: Executor, rows: Sequence[Any], changes: Changes, expected: int | None
    ) -> None:
        documents: list[tuple[str, Any]] = []
        updates: list[tuple[Any, ...]] = []
        for key, version, text in rows:
            self._check_version(key, version, expected)
            body = decode_document(text)
            apply_changes(body, changes)
            document_id = self._dialect.id_text(key)
            documents.append((document_id, body))
            updates.append(self._rows.changed(document_id, body))
        try:
            if len(updates) == 1:
                await executor.execute(self._statements.update, updates[0])
            else:
                await executor.execute_many(self._statements.update, updates)
        except UniqueViolation as violation:
            raise await self._duplicate(violation, documents) from violation

    async def upsert(self, condition: Sql, equalities: dict[Path, Any], changes: Changes) -> str:
        """Change the one document that matches or add it, and give its id."""

        def upsert() -> Awaitable[str]:
            return self._upsert(condition, equalities, changes)

        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._again_if_collided(upsert)
            except DuplicateKey:
                continue  # somebody added it meanwhile, so that it is found now
        return await self._again_if_collided(upsert)

    async def _upsert(self, condition: Sql, equalities: dict[Path, Any], changes: Changes) -> str:
        async with self._database.transaction() as transaction:
            rows = await self._locked(transaction, condition, self._dialect.text(""), 2)
            if len(rows) > 1:
                ids = [self._dialect.id_text(row[0]) for row in rows]
                raise AmbiguousUpsert(collection=self._table.collection, ids=ids)
            if rows:
                if changes.assignments or changes.removals:
                    await self._update_rows(transaction, rows, changes, None)
                return self._dialect.id_text(rows[0][0])
            body: dict[str, Any] = {}
            for path, value in equalities.items():
                assign(body, path, value)
            document_id = body.pop("_id", None) or make_id()
            apply_changes(body, changes)
            await self.insert(document_id, body, self._rows.new(document_id, body))
            return document_id

    async def _delete_where(self, executor: Executor, condition: Sql) -> int:
        sql = fill(f"DELETE FROM {self._table.name} WHERE @", condition)  # noqa: S608
        return await executor.execute(*self._dialect.finish(sql))

    # What went wrong

    async def _duplicate(
        self, violation: UniqueViolation, documents: Sequence[tuple[str, Any]]
    ) -> DuplicateKey:
        return await duplicate_key(self._database, self._table, self._dialect, violation, documents)

    def _check_version(self, key: Any, found: int, expected: int | None) -> None:
        if expected is not None and found != expected:
            raise self._conflict(self._dialect.id_text(key), expected, found)

    async def _conflict_now(self, document_id: str, expected: int) -> VersionConflict:
        key = self._dialect.text(document_id)
        row = await self._database.fetch_one(self._statements.get, (key,))
        return self._conflict(document_id, expected, None if row is None else row[0])

    def _conflict(
        self, document_id: str | None, expected: int, found: int | None
    ) -> VersionConflict:
        return VersionConflict(
            collection=self._table.collection, id=document_id, expected=expected, found=found
        )
