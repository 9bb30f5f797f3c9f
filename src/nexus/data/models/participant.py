"""The part that SQLAlchemy has in one of our transactions.

Our transaction begins before SQLAlchemy comes and ends after it has gone. What SQLAlchemy takes
for its own transaction is a stretch of ours: `commit()` keeps a stretch from later rollbacks, and
`rollback()` undoes it. Nothing is sent to the database for a session that does neither.
"""

from typing import Final, Self

from sqlalchemy.util import await_only

from nexus.data.database import Database
from nexus.data.models.reading import only_reads
from nexus.data.transaction import Transaction, current_transaction
from nexus.errors import SessionInterrupted, TransactionReadOnly

_SAVEPOINT: Final = "nexus_session"


class Participant:
    """One session, or one run of migrations, in one transaction.

    Also the mutex that SQLAlchemy holds while it uses the connection: it takes turns with
    everything else that is part of the transaction.

    Args:
        transaction: What it takes part in.
        read_only: Whether it refuses changes.

    Attributes:
        has_left: Whether it is over, so that the end of the transaction is not its affair.
        was_cut_off: Whether a statement was given up, after which nothing of the transaction may
            stay, and SQLAlchemy does not use the connection any more.
    """

    def __init__(self, transaction: Transaction, *, read_only: bool = False) -> None:
        self._transaction = transaction
        self._read_only = read_only
        self._turns: list[Transaction] = []
        self._was_used = False
        self._was_kept = False
        self._has_savepoint = False
        self._is_to_undo = False
        self.has_left = False
        self.was_cut_off = False

    @property
    def transaction(self) -> Transaction:
        """What it takes part in."""
        return self._transaction

    @property
    def database(self) -> Database:
        """The database of the transaction."""
        return self._transaction.database

    async def __aenter__(self) -> Self:
        place = self._place()
        place.check()
        self._was_used = True
        await place.turn.acquire()
        self._turns.append(place)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._turns.pop().turn.release()

    def admit(self, statement: str) -> None:
        """Refuse a statement that may change something, where it must not.

        Raises:
            TransactionReadOnly: It may.
        """
        if self._read_only and not only_reads(statement):
            raise TransactionReadOnly

    # What SQLAlchemy's dialect calls, inside one of its greenlets

    def begin(self) -> None:
        """Begin a stretch."""
        if self.has_left:
            return
        if self._is_to_undo and not self._is_interrupted:
            self._undo()
        if self._was_kept and not self._has_savepoint:
            await_only(self._control(f"SAVEPOINT {_SAVEPOINT}"))
            self._has_savepoint = True

    def commit(self) -> None:
        """Keep the stretch from later rollbacks."""
        if self.has_left or not self._was_used:
            return
        if self._is_interrupted:
            raise SessionInterrupted(call="commit")
        if self._has_savepoint:
            await_only(self._control(f"RELEASE SAVEPOINT {_SAVEPOINT}"))
            self._has_savepoint = False
        self._was_kept = True
        self._was_used = False

    def rollback(self) -> None:
        """Undo the stretch; inside a block that is nested in the transaction, once it has ended."""
        if self.has_left or not self._was_used:
            return
        self._is_to_undo = True
        if not self._is_interrupted:
            self._undo()

    def settle(self) -> None:
        """Do what was put off, before the transaction commits."""
        if self._is_to_undo:
            self._undo()

    def _undo(self) -> None:
        await_only(self._undo_stretch())
        self._is_to_undo = False
        self._was_used = False

    # Savepoints wait until no block of another task is open: they could not be told apart.

    async def _undo_stretch(self) -> None:
        if self._has_savepoint:
            await self._control(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            return
        async with self._transaction.turn:
            await self._transaction.undo()

    async def _control(self, statement: str) -> None:
        async with self._transaction.turn:
            await self._transaction.control(statement)

    # Blocks that were opened inside the session's

    @property
    def _is_interrupted(self) -> bool:
        return self._place() is not self._transaction

    def _place(self) -> Transaction:
        """Give the transaction itself, or the one nested in it that the caller is in."""
        current = current_transaction(self.database)
        if current is not None and current.is_inside(self._transaction):
            return current
        return self._transaction
