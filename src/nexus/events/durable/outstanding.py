"""The events of a lease: which of them were handled, in whatever order."""

from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from nexus.events.durable.claim import Claim
from nexus.events.event import Event


class Outstanding:
    """Runs of events, in order, of which the first is the first that was not handled.

    Most events are handled in order; they cost a comparison each. The others' positions are kept
    until all before them were handled.

    Attributes:
        completed: Events that were handled since `collect` was called; whoever handles adds here.
    """

    def __init__(self) -> None:
        self.completed: Final[list[Event]] = []
        self._runs: deque[list[Event]] = deque()
        self._former: deque[list[Event]] = deque()
        self._at = 0
        self._done: set[int] = set()
        self._before: frozenset[int] = frozenset()
        self._known_until = 0

    def begin(self, claim: Claim) -> None:
        """Begin with a lease; what was handled before it is not outstanding."""
        self.clear()
        self._before = claim.acknowledged
        self._known_until = max(claim.cursor, *claim.acknowledged, 0)

    def clear(self) -> None:
        """Forget all."""
        self.completed.clear()
        if self._runs:  # some of them may be in hand
            self._former, self._runs = self._runs, deque()
        self._at = 0
        self._done.clear()
        self._before = frozenset()

    def disown(self, position: int) -> None:
        """Take no acknowledgment of events behind a position: others will be there."""
        for run in (*self._former, *self._runs):
            for event in run:
                if event.position > position:
                    event.position = 0
        self._former.clear()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, run: list[Event]) -> None:
        """Take events that follow on all before; the list is not changed."""
        self._runs.append(run)

    def new(self, run: list[Event], first: int) -> list[Event]:
        """Give those events that others have not handled before this lease.

        Args:
            run: Events that were appended.
            first: The first position that was not read under this lease.
        """
        if run[0].position > self._known_until:
            return run
        return [each for each in run if each.position >= first and self.is_new(each.position)]

    def is_new(self, position: int) -> bool:
        """Tell whether a position was not handled before this lease."""
        return position not in self._before

    def collect(self, cursor: int, handled: Callable[[str], None]) -> None:
        """Take note of what was completed.

        Args:
            cursor: Up to this position, all is stored.
            handled: Told the ids of dead letters that were handled.
        """
        completed = self.completed[:]
        self.completed.clear()
        runs, at, done = self._runs, self._at, self._done
        for event in completed:
            if runs and runs[0][at] is event:
                at += 1
                if at == len(runs[0]):
                    runs.popleft()
                    at = 0
            elif (letter := getattr(event, "letter", None)) is not None:
                handled(letter)
            elif getattr(event, "position", 0) > cursor:
                done.add(event.position)
        while runs and runs[0][at].position in done:
            done.discard(runs[0][at].position)
            at += 1
            if at == len(runs[0]):
                runs.popleft()
                at = 0
        self._at = at

    # After `collect`

    @property
    def first(self) -> int | None:
        """The position of the first event that was not handled."""
        return self._runs[0][self._at].position if self._runs else None

    @property
    def count(self) -> int:
        """How many were not handled."""
        waiting = sum(each.position not in self._done for run in self._runs for each in run)
        return waiting - self._at

    def has(self, event: Event) -> bool:
        """Tell whether this very event is among them and was not handled."""
        position = getattr(event, "position", 0)
        if position in self._done:
            return False
        for number, run in enumerate(self._runs):
            if run[0].position <= position <= run[-1].position:
                start = 0 if number else self._at
                return any(each is event for each in islice(run, start, None))
        return False

    def handled_behind(self, cursor: int) -> AbstractSet[int]:
        """Give the positions behind a cursor that were handled; those before it are forgotten."""
        if self._done:
            self._done = {each for each in self._done if each > cursor}
        if self._before and cursor >= self._known_until:
            self._before = frozenset()
        return self._done.union(each for each in self._before if each > cursor)
