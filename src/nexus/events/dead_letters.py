"""Events that a subscription could not be given, kept for an operator."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from nexus.errors import DeadLetterNotFound
from nexus.events.event import Event
from nexus.events.identity import next_serial, render_id

_MAX_TRACEBACK = 8_000
_MAX_ERROR = 1_000


class DeadReason(StrEnum):
    """Why an event was given up for one subscription."""

    FAILED = "failed"
    TIMEOUT = "timeout"
    ABANDONED = "abandoned"
    CRASHED = "crashed"
    MAILBOX_FULL = "mailbox-full"
    PUBLISHER_CANCELLED = "publisher-cancelled"
    CANCELLED = "cancelled"
    NOT_STARTED = "not-started"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One event that one subscription has not had.

    Attributes:
        id: Its own identifier; an event may be a dead letter of several subscriptions.
        event: The event.
        pattern: The subscription's pattern.
        owner: The plugin that subscribed.
        reason: Why it was given up.
        error: The last error as `Type: text`; empty when no handler ran.
        traceback: The last traceback; empty when no handler ran.
        attempts: How often a handler tried.
        time: When it was given up, in UTC.
    """

    id: str
    event: Event
    pattern: str
    owner: str
    reason: DeadReason
    error: str
    traceback: str
    attempts: int
    time: datetime

    def dict(self) -> "dict[str, Any]":
        """Give the letter as JSON-ready data."""
        return {
            "id": self.id,
            "event": self.event.dict(),
            "pattern": self.pattern,
            "owner": self.owner,
            "reason": str(self.reason),
            "error": self.error,
            "traceback": self.traceback,
            "attempts": self.attempts,
            "time": self.time.isoformat(),
        }


def describe(error: BaseException | None) -> str:
    """Say `Type: text` of an error, at a bounded length."""
    if error is None:
        return ""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a plugin's exception may fail to render itself
        text = "(its text could not be rendered)"
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:_MAX_ERROR]


def place(error: BaseException | None) -> str:
    """Give file and line where an error was raised; empty when it was not."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def trace(error: BaseException | None) -> str:
    """Give an error's traceback, at a bounded length; empty when there is none."""
    if error is None:
        return ""
    import traceback

    try:
        lines = traceback.format_exception(error)
    except Exception:  # noqa: BLE001 - a plugin's exception may fail to render itself
        return describe(error)
    # The end tells most: the line that raised, and the error.
    return "".join(lines)[-_MAX_TRACEBACK:]


class DeadLetters:
    """A bounded store in memory, oldest first.

    Attributes:
        limit: How many letters are kept.
        evicted: How many were dropped because of it.
    """

    __slots__ = ("_letters", "evicted", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.evicted = 0
        self._letters: OrderedDict[str, DeadLetter] = OrderedDict()

    def add(
        self,
        event: Event,
        *,
        pattern: str,
        owner: str,
        reason: DeadReason,
        error: BaseException | None,
        attempts: int,
    ) -> DeadLetter:
        """Keep an event that was given up."""
        letter = DeadLetter(
            id=render_id(time.time_ns(), next_serial()),
            event=event,
            pattern=pattern,
            owner=owner,
            reason=reason,
            error=describe(error),
            traceback=trace(error),
            attempts=attempts,
            time=datetime.now(UTC),
        )
        self._letters[letter.id] = letter
        while len(self._letters) > self.limit:
            self._letters.popitem(last=False)
            self.evicted += 1
        return letter

    def get(self, letter_id: str) -> DeadLetter:
        """Give one letter.

        Raises:
            DeadLetterNotFound: If there is none with this id.
        """
        letter = self._letters.get(letter_id)
        if letter is None:
            raise DeadLetterNotFound(id=letter_id)
        return letter

    def drop(self, letter_id: str) -> DeadLetter:
        """Take one letter out.

        Raises:
            DeadLetterNotFound: If there is none with this id.
        """
        letter = self.get(letter_id)
        del self._letters[letter_id]
        return letter

    def list(self, *, owner: str | None = None, limit: int | None = None) -> "list[DeadLetter]":
        """Give the letters, newest first.

        Args:
            owner: Only those of this plugin.
            limit: At most so many.
        """
        found = [
            letter for letter in reversed(self._letters.values()) if owner in (None, letter.owner)
        ]
        return found if limit is None else found[: max(limit, 0)]

    def __len__(self) -> int:
        return len(self._letters)
