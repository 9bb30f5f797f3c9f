"""A connection as SQLAlchemy's pool would give it, of a transaction that is not its own."""

from typing import Any, Final

from sqlalchemy import PoolProxiedConnection
from typing_extensions import override

from nexus.data.models.participant import Participant

TRANSACTION: Final = "nexus_transaction"
"""The key of our transaction in `Connection.info`."""


class LentConnection(PoolProxiedConnection):
    """Takes the place of a connection from a pool: SQLAlchemy neither opens nor closes it.

    Args:
        adapted: The driver's connection, as the dialect's adapter shows it.
        participant: The part that its user has in the transaction.
    """

    __slots__ = ("_is_valid", "dbapi_connection", "info", "participant")

    def __init__(self, adapted: Any, participant: Participant) -> None:
        self.dbapi_connection: Any = adapted
        self.participant = participant
        self.info: dict[str, Any] = {TRANSACTION: participant.transaction}
        self._is_valid = True

    @property
    @override
    def record_info(self) -> None:
        """What a pool notes about it; there is none."""

    @property
    @override
    def driver_connection(self) -> Any:  # type: ignore[override]  # as SQLAlchemy's own proxy has it
        """The driver's connection."""
        return self.dbapi_connection.driver_connection

    @property
    @override
    def is_valid(self) -> bool:
        """Whether it can be used."""
        return self._is_valid

    @property
    @override
    def is_detached(self) -> bool:
        """Whether it belongs to no pool; so it is."""
        return True

    @override
    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Give a cursor."""
        return self.dbapi_connection.cursor(*args, **kwargs)

    @override
    def commit(self) -> None:
        """Leave it to the transaction."""

    @override
    def rollback(self) -> None:
        """Leave it to the transaction."""

    @override
    def invalidate(self, e: BaseException | None = None, soft: bool = False) -> None:
        self._is_valid = False
        self.participant.was_cut_off = True

    @override
    def detach(self) -> None:
        """Belong to no pool, as ever."""

    @override
    def close(self) -> None:
        """Leave it to the transaction."""

    def _close_special(self, transaction_reset: bool = False) -> None:
        """Leave it to the transaction, whose stretch SQLAlchemy has just undone.

        What SQLAlchemy calls in place of `close` where it has ended its transaction itself.
        """

    @override
    def __getattr__(self, name: str) -> Any:
        return getattr(self.dbapi_connection, name)
