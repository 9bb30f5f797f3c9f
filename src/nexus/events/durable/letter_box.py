"""The dead letters of durable subscriptions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nexus.data.database import Database, Executor
from nexus.data.transaction import Transaction
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.rows import COLUMNS, event_of, row_of, storable
from nexus.events.log.buried import Buried, BuriedState
from nexus.events.log.key import SubscriptionKey

_EVENT: Final = COLUMNS.replace("id, name", "event_id, name", 1)
_ALL: Final = f"id, plugin, pattern, reason, error, traceback, attempts, buried_ns, state, {_EVENT}"
_ADD: Final = (
    f"INSERT INTO nexus_event_letters ({_ALL})"  # noqa: S608
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_IF_NEW: Final = {
    # What an answer that was lost has stored is there already.
    "sqlite": " ON CONFLICT (id) DO NOTHING",
    "postgresql": " ON CONFLICT (id) DO NOTHING",
    "mariadb": " ON DUPLICATE KEY UPDATE id = id",
}
_FAILED: Final = (
    "UPDATE nexus_event_letters SET state = 'dead', reason = ?, error = ?, traceback = ?,"
    " attempts = attempts + ?, buried_ns = ? WHERE id = ? AND buried_ns <> ?"
)


@dataclass(slots=True, kw_only=True)
class Changes:
    """What is to be stored with the next acknowledgments.

    Attributes:
        added: New letters, each with the epoch of the lease that its event was given under.
        failed: Letters that were tried again and failed, by their ids.
        handled: Letters that were tried again and handled.
    """

    added: list[tuple[Buried, int]] = field(default_factory=list)
    failed: dict[str, Buried] = field(default_factory=dict)
    handled: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.failed or self.handled)


class LetterBox:
    """Keeps dead letters in the database.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._changes = Changes()
        self._add = self._dialect(_ADD + _IF_NEW[database.engine])
        self._unsettled: set[str] = set()
        self.buried = 0
        self.evicted = 0

    # What a stream notes

    def add(self, letter: Buried, epoch: int) -> None:
        """Note a new letter, of an event that was given under a lease with this epoch."""
        self.buried += 1
        self._changes.added.append((letter, epoch))

    def handled(self, letter_id: str) -> None:
        """Note that a letter was tried again, with success."""
        self._changes.handled.add(letter_id)
        self._unsettled.add(letter_id)

    def failed_again(self, letter_id: str, letter: Buried) -> None:
        """Note that a letter was tried again, without."""
        self.buried += 1
        self._changes.failed[letter_id] = letter
        self._unsettled.add(letter_id)

    def take(self) -> Changes:
        """Give what is to be stored."""
        changes, self._changes = self._changes, Changes()
        return changes

    def give_back(self, changes: Changes) -> None:
        """Take back what could not be stored."""
        self._changes.added[:0] = changes.added
        self._changes.failed = {**changes.failed, **self._changes.failed}
        self._changes.handled |= changes.handled

    async def store(self, transaction: Transaction, changes: Changes) -> None:
        """Store it."""
        if changes.added:
            rows = [_row(letter) for letter, _ in changes.added]
            await transaction.execute_many(self._add, rows)
        for letter_id, letter in changes.failed.items():
            await transaction.execute(
                self._dialect(_FAILED),
                (
                    letter.reason,
                    storable(letter.error),
                    storable(letter.traceback),
                    letter.attempts,
                    letter.time_ns,
                    letter_id,
                    letter.time_ns,
                ),
            )
        await self._delete(transaction, sorted(changes.handled))

    def stored(self, changes: Changes) -> None:
        """Note that it has been committed."""
        self._unsettled -= changes.handled | changes.failed.keys()

    # What an operator does

    async def list(
        self, *, plugin: str | None, pattern: str | None, limit: int | None
    ) -> Sequence[Buried]:
        """Give letters, newest first."""
        wanted = {"plugin": plugin, "pattern": pattern}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " WHERE " + " AND ".join(f"{name} = ?" for name in given) if given else ""
        rows = await self._database.fetch_all(
            self._dialect(
                f"SELECT {_ALL} FROM nexus_event_letters{where}"  # noqa: S608
                " ORDER BY buried_ns DESC, id DESC LIMIT ?"
            ),
            (*given.values(), 2**31 if limit is None else limit),
        )
        return [_letter(row) for row in rows]

    async def ids(self, key: SubscriptionKey) -> Sequence[str]:
        """Give the ids of a subscription's letters, oldest first."""
        rows = await self._database.fetch_all(
            self._dialect(
                "SELECT id FROM nexus_event_letters WHERE plugin = ? AND pattern = ?"
                " ORDER BY buried_ns, id"
            ),
            key,
        )
        return [row[0] for row in rows]

    async def get(self, letter_id: str) -> Buried | None:
        """Give one letter."""
        row = await self._database.fetch_one(
            self._dialect(f"SELECT {_ALL} FROM nexus_event_letters WHERE id = ?"),  # noqa: S608
            (letter_id,),
        )
        return None if row is None else _letter(row)

    async def retry(self, letter_ids: Iterable[str]) -> int:
        """Have letters tried again."""
        statement = self._dialect("UPDATE nexus_event_letters SET state = ? WHERE id = ?")
        rows = [(str(BuriedState.RETRYING), each) for each in letter_ids]
        return await self._database.execute_many(statement, rows) if rows else 0

    async def drop(self, letter_ids: Iterable[str]) -> int:
        """Remove letters."""
        return await self._delete(self._database, letter_ids)

    async def retrying(self) -> Sequence[SubscriptionKey]:
        """Give the subscriptions that have letters which are to be tried again."""
        rows = await self._database.fetch_all(
            "SELECT DISTINCT plugin, pattern FROM nexus_event_letters WHERE state = 'retrying'"
        )
        return [SubscriptionKey(plugin, pattern) for plugin, pattern in rows]

    async def to_retry(self, key: SubscriptionKey) -> Sequence[Buried]:
        """Give the letters of a subscription that are to be tried again, oldest first.

        Those are left out of which it is known here what became of them this time.
        """
        settling = set(self._unsettled)
        rows = await self._database.fetch_all(
            self._dialect(
                f"SELECT {_ALL} FROM nexus_event_letters"  # noqa: S608
                " WHERE state = 'retrying' AND plugin = ? AND pattern = ? ORDER BY buried_ns, id"
            ),
            key,
        )
        return [_letter(row) for row in rows if row[0] not in settling]

    async def count(self) -> dict[SubscriptionKey, int]:
        """Tell how many letters each subscription has."""
        rows = await self._database.fetch_all(
            "SELECT plugin, pattern, count(*) FROM nexus_event_letters GROUP BY plugin, pattern"
        )
        return {SubscriptionKey(plugin, pattern): count for plugin, pattern, count in rows}

    async def trim(self, limit: int) -> None:
        """Remove the oldest letters of each subscription that has more than so many."""
        for key, count in (await self.count()).items():
            if count > limit:
                rows = await self._database.fetch_all(
                    self._dialect(
                        "SELECT id FROM nexus_event_letters WHERE plugin = ? AND pattern = ?"
                        " AND state = 'dead' ORDER BY buried_ns, id LIMIT ?"
                    ),
                    (*key, count - limit),
                )
                self.evicted += await self.drop(row[0] for row in rows)

    async def forget(self, executor: Executor, key: SubscriptionKey) -> None:
        """Remove all letters of a subscription."""
        await executor.execute(
            self._dialect("DELETE FROM nexus_event_letters WHERE plugin = ? AND pattern = ?"), key
        )

    async def _delete(self, executor: Executor, letter_ids: Iterable[str]) -> int:
        rows = [(each,) for each in letter_ids]
        statement = self._dialect("DELETE FROM nexus_event_letters WHERE id = ?")
        return await executor.execute_many(statement, rows) if rows else 0


def _row(letter: Buried) -> tuple[Any, ...]:
    return (
        letter.id,
        *letter.key,
        letter.reason,
        storable(letter.error),
        storable(letter.traceback),
        letter.attempts,
        letter.time_ns,
        str(letter.state),
        *row_of(letter.event),
    )


def _letter(row: Sequence[Any]) -> Buried:
    return Buried(
        id=row[0],
        key=SubscriptionKey(row[1], row[2]),
        reason=row[3],
        error=row[4],
        traceback=row[5],
        attempts=row[6],
        time_ns=row[7],
        state=BuriedState(row[8]),
        event=event_of(row[9:]),
    )
