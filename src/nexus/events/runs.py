"""Queues that share what they hold.

An event goes to many mailboxes, and events of one name tend to come in series. So a series of
events with the same mailboxes (a run) is one list, which all of these mailboxes have in their
queues: while the run is open, publishing appends to it once, whatever the number of mailboxes.
The first worker to reach its end closes it, and the next publication begins another.

Workers take events by iterating, which is the cheapest way that Python has. An iterator tells how
much it has left, so nothing needs to be counted for each event; and exhausting it from outside
takes the rest away from the worker that iterates.
"""

from collections import deque
from collections.abc import Iterator
from operator import length_hint
from typing import TYPE_CHECKING

from nexus.events.event import Event

if TYPE_CHECKING:
    from nexus.events.mailbox import Mailbox

RUN_LIMIT = 128
"""How many events a run may have; a worker that is through with one lets others have the loop."""


class OpenRun:
    """The run that the bus appends to; there is one at most, so that order is kept.

    Attributes:
        mailboxes: Those that have the run in their queues; None while no run is open.
        events: The run.
        limit: How long it may become: every one of the mailboxes has room for that.
    """

    __slots__ = ("events", "limit", "mailboxes")

    def __init__(self) -> None:
        self.mailboxes: tuple[Mailbox, ...] | None = None
        self.events: list[Event] = []
        self.limit = 0

    def begin(self, mailboxes: tuple["Mailbox", ...], events: list[Event], limit: int) -> None:
        """Close the run, and open another."""
        self.mailboxes = mailboxes
        self.events = events
        self.limit = limit

    def close(self) -> None:
        """Append no more to it."""
        self.mailboxes = None
        self.events = []


class RunQueue:
    """The events that wait in one mailbox, as runs.

    Attributes:
        remaining: What is left of the run in work; several workers may share it.
        finished: How many events were taken out of runs that are done with.
    """

    __slots__ = ("_backlog", "_open", "_run", "_runs", "finished", "remaining")

    def __init__(self, open_run: OpenRun) -> None:
        self._open = open_run
        self._runs: deque[list[Event]] = deque()
        self._run: list[Event] = []
        # The length of all runs that wait but the last, which may still grow.
        self._backlog = 0
        self.remaining: Iterator[Event] = iter(self._run)
        self.finished = 0

    def __len__(self) -> int:
        last = len(self._runs[-1]) if self._runs else 0
        return self._backlog + last + length_hint(self.remaining)

    @property
    def taken(self) -> int:
        """How many events were taken out."""
        return self.finished + len(self._run) - length_hint(self.remaining)

    def append(self, run: list[Event]) -> None:
        """Put a run at the end; it may grow for as long as it is the open one and the last."""
        if self._runs:
            self._backlog += len(self._runs[-1])
        self._runs.append(run)

    def append_event(self, event: Event) -> None:
        """Put one event at the end."""
        self._open.close()
        self.append([event])

    def push_front(self, events: list[Event]) -> None:
        """Put events, of which this queue counts none as taken, before all others."""
        self._open.close()
        rest = [*events, *self._stop_run()]
        runs = [rest[start : start + RUN_LIMIT] for start in range(0, len(rest), RUN_LIMIT)]
        if runs:
            self._backlog += len(rest) if self._runs else len(rest) - len(runs[-1])
        self._runs.extendleft(reversed(runs))

    def put_back(self, event: Event) -> None:
        """Put an event that was taken before all others again."""
        self.push_front([event])
        self.finished -= 1

    def advance(self) -> int:
        """Go on to the next run if this one is at its end, and give the number of its events."""
        left = length_hint(self.remaining)
        if left:
            return left
        # From here on, the exhausted iterator would not see what is appended.
        self._open.close()
        self.finished += len(self._run)
        self._run = self._runs.popleft() if self._runs else []
        if self._runs:
            self._backlog -= len(self._run)
        self.remaining = iter(self._run)
        return len(self._run)

    def clear(self) -> list[Event]:
        """Take all events away, without counting them as taken, and give them in order."""
        self._open.close()
        events = self._stop_run()
        for run in self._runs:
            events.extend(run)
        self._runs.clear()
        self._backlog = 0
        return events

    def _stop_run(self) -> list[Event]:
        """Take what is left of the run in work from whoever iterates."""
        rest = list(self.remaining)
        self.finished += len(self._run) - len(rest)
        self._run = []
        self.remaining = iter(self._run)
        return rest
