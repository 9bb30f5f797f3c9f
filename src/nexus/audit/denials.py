"""What plugins were refused, gathered so that a loop of refusals becomes one row a minute."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

_HUSH: Final = 60.0
"""Seconds after a row in which further refusals of the same kind are only counted."""

_MOST_KINDS: Final = 10_000
"""So many kinds are told apart; scopes that a plugin makes up must not fill the memory."""


class Kind(NamedTuple):
    """What makes refusals be counted together."""

    plugin: str
    permission: str


@dataclass(slots=True)
class Gathered:
    """Refusals of one kind.

    Attributes:
        attempt: What the last one was about.
        count: How many there were since the last row.
        first: When the first of them was, in seconds since the epoch.
        last: When the last of them was.
    """

    attempt: str
    count: int
    first: float
    last: float

    def dict(self, permission: str) -> dict[str, Any]:
        """Give them as JSON-ready data."""
        return {
            "permission": permission,
            "attempt": self.attempt,
            "count": self.count,
            "first": datetime.fromtimestamp(self.first, UTC).isoformat(),
            "last": datetime.fromtimestamp(self.last, UTC).isoformat(),
        }


class Denials:
    """Counts refusals in memory until somebody takes them to write them down.

    It may be told from any thread; telling costs a dictionary look-up and no disk.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gathered: dict[Kind, Gathered] = {}
        self._written: dict[Kind, float] = {}

    def note(self, plugin: str, permission: str, attempt: str) -> None:
        """Take note of one."""
        now = time.time()
        with self._lock:
            kind = Kind(plugin, permission)
            found = self._gathered.get(kind)
            if found is None:
                if len(self._gathered) >= _MOST_KINDS:
                    kind = Kind(plugin, "(others)")
                found = self._gathered.setdefault(kind, Gathered(attempt, 0, now, now))
            found.attempt, found.last = attempt, now
            found.count += 1

    def take(self, *, everything: bool = False) -> list[tuple[Kind, Gathered]]:
        """Give what is due, and begin to count it anew.

        Args:
            everything: Also what was written down a moment ago.
        """
        now = time.monotonic()
        with self._lock:
            self._written = {kind: at for kind, at in self._written.items() if now - at < _HUSH}
            due = [kind for kind in self._gathered if everything or kind not in self._written]
            self._written.update(dict.fromkeys(due, now))
            return [(kind, self._gathered.pop(kind)) for kind in due]

    def give_back(self, taken: list[tuple[Kind, Gathered]]) -> None:
        """Take back what could not be written down."""
        with self._lock:
            for kind, gathered in taken:
                self._written.pop(kind, None)
                since = self._gathered.setdefault(kind, gathered)
                if since is not gathered:
                    since.count += gathered.count
                    since.first = gathered.first
