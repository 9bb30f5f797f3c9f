"""The last events that were published, for people who look at what is going on."""

from collections import deque
from collections.abc import Callable, Sequence

from nexus.events.event import Event
from nexus.events.pattern import check_pattern, matches

Watcher = Callable[[Event], None]
"""Called with each event; it must neither wait nor raise."""


class RecentEvents:
    """A ring of the last events, and those who watch new ones come.

    Attributes:
        add: Keeps an event. The bus calls it for each, so it is the ring's own method, as long as
            nobody watches.
    """

    __slots__ = ("_ring", "_watchers", "add")

    def __init__(self, limit: int) -> None:
        self._ring: deque[Event] = deque(maxlen=limit)
        self._watchers: tuple[Watcher, ...] = ()
        self.add: Watcher = self._ring.append

    def list(self, *, pattern: str | None = None, limit: int = 100) -> "list[Event]":
        """Give the events, newest first.

        Args:
            pattern: Only those with such a name; a plain name selects itself.
            limit: At most so many.

        Raises:
            EventPatternInvalid: If the pattern is none.
        """
        if pattern is not None:
            check_pattern(pattern)
        found: list[Event] = []
        for event in reversed(self._ring):
            if len(found) >= limit:
                break
            if pattern is None or matches(pattern, event.name):
                found.append(event)
        return found

    def find(self, event_id: str) -> Event | None:
        """Give the event with this id, if it is still here."""
        return next((each for each in reversed(self._ring) if each.id == event_id), None)

    def related(self, correlation_id: str) -> Sequence[Event]:
        """Give the events of one piece of work that are still here, in order."""
        return [each for each in self._ring if each.correlation_id == correlation_id]

    def watch(self, watcher: Watcher) -> None:
        """Call a function with each event from now on."""
        self._watchers += (watcher,)
        self.add = self._add_and_tell

    def unwatch(self, watcher: Watcher) -> None:
        """Call it no more."""
        self._watchers = tuple(each for each in self._watchers if each != watcher)
        if not self._watchers:
            self.add = self._ring.append

    @property
    def is_watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def _add_and_tell(self, event: Event) -> None:
        self._ring.append(event)
        for watcher in self._watchers:
            watcher(event)
