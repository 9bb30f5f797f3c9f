"""The last events that were published, for people who look at what is going on."""

from collections import deque

from nexus.events.event import Event
from nexus.events.pattern import check_pattern, matches


class RecentEvents:
    """A ring of the last events.

    Attributes:
        add: Keeps an event. The bus calls it for each, so it is the ring's own method.
    """

    __slots__ = ("_ring", "add")

    def __init__(self, limit: int) -> None:
        self._ring: deque[Event] = deque(maxlen=limit)
        self.add = self._ring.append

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
