"""What every engine of the durable log promises: to keep events in one order.

Who wants them, who works on them, and how far they have come is in the application's database,
whatever the engine; see `nexus.events.durable`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from nexus.data.database import Executor
from nexus.data.transaction import Transaction
from nexus.events.durable.landmarks import Landmarks
from nexus.events.durable.rows import EventRow
from nexus.events.event import Event

Placed: TypeAlias = tuple[int, Sequence[int]]
"""Where events are: the position that comes before the first of them, and the one of each."""


AppendIn: TypeAlias = Callable[[Transaction, Sequence[EventRow]], Awaitable[Placed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a subscription has come.

    Attributes:
        pattern: The names that it wants.
        cursor: Up to this position, it has handled everything.
        handled: Positions behind it that it has handled as well.
    """

    pattern: str
    cursor: int
    handled: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What a subscription has not handled.

    Attributes:
        waiting: How many events.
        oldest_ns: When the oldest of them was published, in nanoseconds since the epoch.
        size: How many bytes of the log are kept for it.
    """

    waiting: int = 0
    oldest_ns: int | None = None
    size: int = 0


class Journal(Protocol):
    """Events at positions that only grow, in the order in which they were appended.

    Every method that reaches the engine raises `DatabaseUnavailable` or `EventEngineUnavailable`
    when it cannot be reached.
    """

    @property
    def engine(self) -> str:
        """The engine's name, as `events.engine` has it."""
        ...

    @property
    def location(self) -> str:
        """Where the engine is, for people; never with a password."""
        ...

    @property
    def identity(self) -> str:
        """What tells this journal from one that was made anew; to be asked once it is open."""
        ...

    @property
    def appending_in(self) -> "AppendIn | None":
        """Puts events in as a part of a transaction of the database, best its last.

        None where the engine is apart from the database: the outbox keeps them until the commit.
        """
        ...

    @property
    def landmarks(self) -> Landmarks | None:
        """Tells whether events are where they were; None where the database itself has them."""
        ...

    @property
    def check(self) -> Callable[[EventRow], None] | None:
        """Refuses an event that the engine would never take, with `EventTooLarge`.

        None where it takes whatever the bus takes.
        """
        ...

    @property
    def risk(self) -> str:
        """What may be lost that was acknowledged, in words; to be asked once it is open."""
        ...

    @property
    def tells(self) -> bool:
        """Whether `listen` hears of what others do; otherwise they have to be asked."""
        ...

    async def open(self, owner: str, *, take_over: bool = False) -> None:
        """Connect, and make what is missing.

        Args:
            owner: What tells this application's database from that of any other.
            take_over: Whether to have the journal even if it is another owner's.

        Raises:
            EventJournalTaken: It is another application's.
        """
        ...

    async def close(self) -> None:
        """Let the engine go."""
        ...

    async def probe(self) -> str:
        """Connect, give what `risk` would be, and let the engine go; nothing is made or changed."""
        ...

    # Writing

    def append(self, rows: Sequence[EventRow]) -> Awaitable[Placed]:
        """Put events in; when that has been awaited, they survive a killed process."""
        ...

    def append_at_once(self, rows: Sequence[EventRow]) -> Placed | None:
        """Do the same without leaving the event loop; None where nothing was done that way."""
        ...

    async def append_again(self, rows: Sequence[EventRow]) -> Placed:
        """Put events in unless they are there after all: the answer may have been lost.

        An engine that cannot tell for certain puts them in twice rather than not at all.
        """
        ...

    async def remove(self, up_to: int) -> int:
        """Remove events up to a position that all have handled; give how many they were."""
        ...

    # Reading

    async def end(self, executor: Executor | None = None) -> int:
        """Give the last position, within a transaction of the database if one is given."""
        ...

    async def look(self) -> tuple[int, int]:
        """Give the last position, and the version of the subscriptions in the database."""
        ...

    async def page(self, first: int, last: int, pattern: str = "**") -> tuple[list[Event], int]:
        """Give events between two positions, and the position to read on from.

        It is as many as are good to handle at once; all were read when the position is `last + 1`.
        """
        ...

    async def read(self, *, pattern: str, after: int, limit: int, newest: bool) -> Sequence[Event]:
        """Give events by their positions; see `EventLog.read`."""
        ...

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id."""
        ...

    async def related(self, correlation_id: str, limit: int) -> Sequence[Event]:
        """Give all events of one piece of work, the one that began it included."""
        ...

    async def count(self, pattern: str, first: int, last: int) -> int:
        """Tell how many events with such a name there are between two positions."""
        ...

    async def backlog(self, places: Sequence[Place]) -> Sequence[Backlog]:
        """Tell what is behind each of some places."""
        ...

    async def position_at(self, time_ns: int) -> int:
        """Give the position of the first event that was published at a time or after it."""
        ...

    async def measure(self) -> tuple[int, int]:
        """Give how many bytes it takes, about, and how many events it has."""
        ...

    async def overflow(self, size: int) -> int:
        """Give the last position that has to go for the rest to take so many bytes; 0 if none."""
        ...

    # Others

    async def listen(self, heard: Callable[[int], None]) -> None:
        """Call a function with the last position, or 0 where the subscriptions have changed.

        Returns:
            When the connection is lost.
        """
        ...

    async def tell(self, transaction: Transaction) -> None:
        """Tell others that the subscriptions have changed, once a transaction has committed."""
        ...
