"""The last log lines of each plugin, for people who look at what it says."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from typing_extensions import override

from nexus.observability.json_lines import JsonLines

PLUGINS_LIMIT: Final = 2000
"""So many plugins' lines are kept; then those of the plugin that came first go."""

_LONGEST: Final = 16 * 1024
"""A longer line is kept without its fields, and its text is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that a plugin has caused.

    Attributes:
        number: Counts the lines of all plugins in this process.
        level: Its level as a number, such as `logging.INFO`.
        text: The line as JSON, secrets masked.
    """

    number: int
    level: int
    text: str

    def fields(self) -> dict[str, Any]:
        """Give the line's fields, and its number as `id`."""
        try:
            found: Any = json.loads(self.text)
        except ValueError:  # a mask may have replaced more than a value
            found = {"event": self.text}
        return {"id": self.number, **found}


Follower = Callable[[LogLine], None]
"""Called with each line in the thread that logs; it must neither wait nor raise."""


class LogRings(logging.Handler):
    """Keeps the last lines of each plugin in memory.

    Lines of the access log are not kept: what was asked is counted, and would push all else out.

    Args:
        limit: How many lines of a plugin are kept.
        mask: Takes secrets out of a text.
        bound: Gives the fields that belong to whatever runs.
        plugin_of: Tells which plugin a line is about; None for the platform.
    """

    def __init__(
        self,
        limit: int,
        *,
        mask: Callable[[str], str],
        bound: Callable[[], Mapping[str, Any]],
        plugin_of: Callable[[logging.LogRecord], str | None],
    ) -> None:
        super().__init__()
        self._limit = limit
        self._mask = mask
        self._lines = JsonLines(bound)
        self._plugin_of = plugin_of
        self._rings: dict[str, deque[LogLine]] = {}
        self._followers: tuple[tuple[str, Follower], ...] = ()
        self._numbers = count(1)
        self._guard = threading.Lock()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, if a plugin has caused it."""
        if record.name == "nexus.access":
            return
        plugin = self._plugin_of(record)
        if plugin is None:
            return
        text = self._text(record)
        with self._guard:
            line = LogLine(number=next(self._numbers), level=record.levelno, text=text)
            self._ring(plugin).append(line)
            for name, follower in self._followers:
                if name == plugin:
                    follower(line)

    def recent(self, plugin: str, *, level: int = 0, limit: int = 100) -> Sequence[LogLine]:
        """Give the last lines of a plugin, oldest first.

        Args:
            plugin: The plugin's name.
            level: None below this level.
            limit: At most so many.
        """
        with self._guard:
            found = [each for each in self._rings.get(plugin, ()) if each.level >= level]
        return found[-limit:] if limit else []

    @contextmanager
    def followed(self, plugin: str, follower: Follower) -> Iterator[None]:
        """Call a function with each line of a plugin, as long as the block lasts."""
        entry = (plugin, follower)
        with self._guard:
            self._followers += (entry,)
        try:
            yield
        finally:
            with self._guard:
                self._followers = tuple(each for each in self._followers if each is not entry)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Hear every line of the process, as long as the block lasts."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)

    def _ring(self, plugin: str) -> "deque[LogLine]":
        ring = self._rings.get(plugin)
        if ring is None:
            if len(self._rings) >= PLUGINS_LIMIT:
                del self._rings[next(iter(self._rings))]
            ring = self._rings[plugin] = deque(maxlen=self._limit)
        return ring

    def _text(self, record: logging.LogRecord) -> str:
        try:
            text = self._mask(self._lines.format(record))
            if len(text) > _LONGEST:
                text = self._mask(self._lines.shortened(record, _LONGEST))
        except Exception as error:  # noqa: BLE001 # the border of plugin code: what it logs is its own
            text = json.dumps(
                {
                    "event": f"<a line that cannot be shown: {type(error).__name__}>",
                    "level": record.levelname.lower(),
                    "logger": record.name,
                }
            )
        return text
