"""A pool of connections to a server.

It is our own because the drivers' pools start two tasks for each statement, for a caller whose
patience is limited and who may be cancelled, which costs up to a third of a short query.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from nexus.data.engines.server.connection import ServerConnection
from nexus.errors import DatabaseClosed, DatabaseUnavailable

logger = logging.getLogger(__name__)

C = TypeVar("C", bound=ServerConnection)

_AWAY: Final = "The database server cannot be reached"
_REFUSES: Final = "The database server was reached and refuses connections"

_SETTLING: Final = 3.0
"""Seconds for a connection to come clean after a statement was cut off."""


class ConnectionPool(Generic[C]):
    """Lends connections, which are made when they are needed, the one used last first.

    Args:
        connect: Makes one; raises an error for the caller where that fails.
        troubles: What a connection may raise while it is settled or closed.
        location: The database's, for messages.
        size: How many there may be.
        patience: Seconds that a caller waits for one.

    Attributes:
        troubles: As given.
        lent: The connections that are in use.
        idle: Those that are not.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        troubles: tuple[type[Exception], ...],
        *,
        location: str,
        size: int,
        patience: float,
    ) -> None:
        self._connect = connect
        self.troubles = troubles
        self._location = location
        self._size = size
        self._patience = patience
        self.lent: set[C] = set()
        self.idle: list[C] = []
        self._slots = 0  # connections that there are or that are being made
        self._line: deque[asyncio.Future[C | None]] = deque()
        self._outdated: set[C] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._was_there = False
        self._told: set[str] = set()  # what the log says of the trouble that there is
        self._all_back = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many callers stand in line."""
        return len(self._line)

    async def acquire(self) -> C:
        """Borrow a connection, to be returned once, by `give_back` or `drop`.

        Raises:
            DatabaseUnavailable: There is none in time, or none can be made.
            DatabaseClosed: The pool was closed.
        """
        if not self._is_open:
            raise DatabaseClosed(path=self._location)
        idle = self.idle
        while idle:
            connection = idle.pop()
            if connection.is_clean:
                self.lent.add(connection)
                return connection
            self._slots -= 1
            connection.terminate()
        return await self._acquire_slowly()

    def give_back(self, connection: C, *, cut_off: bool = False) -> None:
        """Return a connection.

        Args:
            connection: It.
            cut_off: Whether a statement on it was given up, so that it may not be usable at once.
        """
        if connection in self._outdated or not self._is_open:
            self.drop(connection)
        elif cut_off or not connection.is_clean:
            task = asyncio.ensure_future(self._settle(connection))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        else:
            self._hand_on(connection)

    def drop(self, connection: C) -> None:
        """Return a connection that nobody may use again."""
        self._outdated.discard(connection)
        self.lent.discard(connection)
        connection.terminate()
        self._free_slot()
        if not self._is_open and not self.lent:
            self._all_back.set()

    def renew(self) -> None:
        """Have all connections replaced, those that are lent when they come back."""
        self._outdated.update(self.lent)
        self.drop_idle()

    def drop_idle(self) -> None:
        """Drop the connections that nobody uses."""
        while self.idle:
            self._slots -= 1
            self.idle.pop().terminate()

    async def close(self) -> None:
        """Wait for what is lent as long as a caller would, and close everything."""
        self._is_open = False
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_exception(DatabaseClosed(path=self._location))
        try:
            async with asyncio.timeout(self._patience):
                while self.idle:
                    self._slots -= 1
                    await self._say_goodbye(self.idle.pop())
                if self.lent:
                    await self._all_back.wait()
        except TimeoutError:
            pass  # what was not given back is taken
        finally:
            await self._close_by_force()

    async def _close_by_force(self) -> None:
        self.drop_idle()
        for connection in tuple(self.lent):
            self.drop(connection)
        for task in tuple(self._settling):
            task.cancel()
        if self._settling:
            await asyncio.wait(self._settling)

    async def _say_goodbye(self, connection: C) -> None:
        try:
            await connection.close()
        except self.troubles:
            connection.terminate()
        except BaseException:
            connection.terminate()
            raise

    async def _acquire_slowly(self) -> C:
        in_use = False
        try:
            async with asyncio.timeout(self._patience):
                if self._slots < self._size:
                    self._slots += 1
                else:
                    in_use = True
                    connection = await self._stand_in_line()
                    if connection is not None:
                        return connection
                    in_use = False
                return await self._make()
        except TimeoutError:
            if in_use:
                problem = f"all {self._size} connections were in use for {self._patience:g} s"
                advice = "Keep transactions and streams short, or raise database.pool_size."
            else:
                problem = f"the server did not answer for {self._patience:g} s"
                advice = "Check the server and the network; nothing here needs a restart."
            error = DatabaseUnavailable(
                path=self._location, problem=problem, advice=advice, passing=True
            )
            if not in_use:
                self._tell(error)
            raise error from None

    async def _stand_in_line(self) -> C | None:
        """Wait for a connection, or for None, which is the right to make one."""
        turn: asyncio.Future[C | None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            return await turn
        except BaseException:
            if turn in self._line:
                self._line.remove(turn)
            elif turn.done() and not turn.cancelled() and turn.exception() is None:
                # It was handed over in the very moment in which the caller gave up.
                connection = turn.result()
                if connection is None:
                    self._free_slot()
                else:
                    self.give_back(connection)
            raise

    async def _make(self) -> C:
        task = asyncio.current_task()
        cancelling = 0 if task is None else task.cancelling()
        try:
            connection = await self._connect()
        except BaseException as error:
            self._free_slot()
            if isinstance(error, DatabaseUnavailable):
                self._tell(error)
            raise
        if self._told:
            logger.warning("The database server is back")
            self._told.clear()
        self._was_there = True
        self.lent.add(connection)
        if not self._is_open:
            self.drop(connection)
            raise DatabaseClosed(path=self._location)
        if task is not None and task.cancelling() > cancelling:
            # Drivers connect with asyncio.wait_for, in which Python 3.11 swallows a cancellation
            # that comes with the connection; a task that was ended would go on for ever.
            self.give_back(connection)
            raise asyncio.CancelledError
        return connection

    def _tell(self, error: DatabaseUnavailable) -> None:
        """Log once what became of a server that was there; of one that never was, callers hear."""
        message = _REFUSES if error.data["refused"] else _AWAY
        if self._was_there and message not in self._told:
            self._told.add(message)
            logger.warning(message, extra={"reason": str(error)})

    def _hand_on(self, connection: C) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self.lent.discard(connection)
        self.idle.append(connection)

    def _free_slot(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._slots -= 1

    async def _settle(self, connection: C) -> None:
        try:
            async with asyncio.timeout(_SETTLING):
                await connection.settle()
        except self.troubles:
            connection.terminate()
        finally:
            if connection.is_clean:
                self.give_back(connection)
            else:
                self.drop(connection)
