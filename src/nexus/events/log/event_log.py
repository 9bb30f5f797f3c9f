"""What every engine of the durable log promises."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

from nexus.events.event import Event
from nexus.events.log.buried import Buried
from nexus.events.log.condition import LogCondition
from nexus.events.log.key import SubscriptionKey
from nexus.events.log.lag import Lag

Sink: TypeAlias = Callable[[list[Event]], bool]
"""Takes events, all or none; it does not change the list, which others share."""


class EventStream(Protocol):
    """One durable subscription, as this process works on it.

    Whoever fetches has the lease of the subscription: no other process is given its events. A
    process that does not report in time loses it, and what it acknowledges afterwards is refused:
    the events are then delivered once more, to the new holder.
    """

    @property
    def key(self) -> SubscriptionKey:
        """The subscription."""
        ...

    def set_sink(self, sink: Sink | None) -> None:
        """Have what arrives while `fetch` waits given to a function instead, if it takes it.

        It is called with several events in order, and says whether it took all of them or none.
        """
        ...

    async def fetch(self, limit: int) -> Sequence[Event]:
        """Wait until there are events, and give up to `limit` of them in order.

        The database's being away is waited for. Each event is given once, until it is released or
        the process that holds it dies; one with the attribute `letter` is a dead letter that is
        tried again.
        """
        ...

    async def wait_for_events(self) -> None:
        """Wait until `fetch` would give events at once, and take none; nobody else may fetch.

        The process then has the lease, and keeps it until `leave`.
        """
        ...

    def acknowledge(self, event: Event) -> None:
        """Note that an event was handled; it is stored soon, and with others."""
        ...

    def release(self, event: Event) -> None:
        """Give an event back that was not handled; it is fetched again."""
        ...

    def bury(self, letter: Buried) -> None:
        """Note that an event was given up; it is stored with its acknowledgment."""
        ...

    @property
    def is_settled(self) -> bool:
        """Whether it has the lease, and everything for it that the log has here was handled."""
        ...

    async def leave(self) -> None:
        """Store what was noted and give the lease back, so that another process can have it."""
        ...


class EventLog(Protocol):
    """Keeps what durable subscriptions want, until each of them has handled it."""

    async def open(self) -> None:
        """Make what is missing, and take part in the cluster.

        Raises:
            DatabaseUnavailable: It cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Store what was noted, give all leases back, and leave the cluster."""
        ...

    def wants(self, name: str) -> bool:
        """Say whether events of a name have to be in the log.

        They do where a durable subscription of the cluster wants them, or where another process
        wants to hear of them.
        """
        ...

    def when_wants_change(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wants` may give another answer."""
        ...

    async def hear(self, pattern: str) -> None:
        """Have the events of other processes come here as well, from now on.

        When that has been awaited, every live process knows it.
        """
        ...

    def hear_no_more(self, pattern: str) -> None:
        """Have them come here no more, once for each `hear`."""
        ...

    def when_heard(self, callback: Callable[[list[Event]], None]) -> None:
        """Have a function called with events that others have published, once for each event.

        It is given more than was asked for: all that others have put into the log.
        """
        ...

    def append(self, event: Event) -> Awaitable[None]:
        """Put an event into the log; when that has been awaited, it survives a killed process.

        Inside a transaction of the application's database it is in the log if and only if that
        commits, and nothing is waited for before.

        Raises:
            DatabaseUnavailable: It cannot be reached, or the disk is full.
            EventLogFull: It is at its size limit.
            EventTooLarge: The engine does not take so much at a time.
        """
        ...

    async def declare(self, plugin: str, patterns: Collection[str]) -> None:
        """Have the log keep events for a plugin from now on; what it had declared stays."""
        ...

    def keeps(self, key: SubscriptionKey) -> bool:
        """Say whether events are kept for a subscription, as far as this process knows."""
        ...

    async def retract(self, plugin: str, *, but: Collection[str] = ()) -> None:
        """Forget the subscriptions of a plugin and what waits for them, but for some patterns."""
        ...

    async def keep_only(self, plugins: Collection[str]) -> None:
        """Forget the subscriptions of all plugins that neither this process knows nor another.

        Args:
            plugins: The plugins that this process knows, enabled or not.
        """
        ...

    async def set_enabled(self, plugins: Mapping[str, bool]) -> None:
        """Tell which plugins are enabled: only a disabled plugin's events get too old."""
        ...

    def stream(self, key: SubscriptionKey) -> EventStream:
        """Give a subscription to work on; there is one stream for each, whoever asks."""
        ...

    async def on_the_way(self) -> int:
        """Tell how many events of committed transactions, of all processes, are not in it yet."""
        ...

    async def lag(self) -> Sequence[Lag]:
        """Say how far each subscription is behind, in the order of plugin and pattern."""
        ...

    async def read(
        self, *, pattern: str = "**", after: int = 0, limit: int = 100, newest: bool = False
    ) -> Sequence[Event]:
        """Give events of the log, by their positions.

        Args:
            pattern: Only those with such a name.
            after: Only those behind this position.
            limit: At most so many.
            newest: Whether to begin at the end, the newest first.
        """
        ...

    async def find(self, event_id: str) -> Event | None:
        """Give the event with this id, if the log still has it."""
        ...

    async def related(self, correlation_id: str, limit: int = 1000) -> Sequence[Event]:
        """Give all events of one piece of work, in order."""
        ...

    async def replay(self, key: SubscriptionKey, since_ns: int) -> int:
        """Deliver once more what a subscription has had since a time; give how many events.

        Raises:
            SubscriptionUnknown: There is no such durable subscription.
        """
        ...

    async def letters(
        self, *, plugin: str | None = None, pattern: str | None = None, limit: int | None = None
    ) -> Sequence[Buried]:
        """Give dead letters, newest first; those of a plugin, a declared pattern, or all."""
        ...

    async def letter_ids(self, key: SubscriptionKey) -> Sequence[str]:
        """Give the ids of all dead letters of a subscription, oldest first."""
        ...

    async def letter(self, letter_id: str) -> Buried | None:
        """Give a dead letter."""
        ...

    async def retry(self, letter_ids: Iterable[str]) -> int:
        """Have dead letters tried again; give how many of them there were."""
        ...

    async def drop(self, letter_ids: Iterable[str]) -> int:
        """Remove dead letters; give how many of them there were."""
        ...

    @property
    def condition(self) -> LogCondition:
        """Whether it can be worked with, as far as that is known without asking it."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Give what the metrics show, by the name of the metric without its prefix."""
        ...
