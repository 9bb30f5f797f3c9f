"""Whose code a thread is in."""

import sys
import threading
import traceback
from dataclasses import dataclass
from types import FrameType
from typing import Any, Self

from nexus.plugins.importer import ROOT

_DEPTH = 6
"""How many calls of the stack are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """Where a thread is: in a plugin's code, if any of that is on its stack.

    Attributes:
        plugin: The plugin; empty where there is no plugin's code.
        file: The file.
        line: The line in it.
        function: The function there.
        stack: The innermost calls, as a traceback shows them.
    """

    plugin: str
    file: str
    line: int
    function: str
    stack: str

    @classmethod
    def in_thread(cls, ident: int) -> Self | None:
        """Give where a thread is now; None when there is no such thread."""
        frame = sys._current_frames().get(ident)  # noqa: SLF001 - the documented way
        if frame is None:
            return None
        found = _plugin_frame(frame) or frame
        return cls(
            plugin=_plugin_of(found),
            file=found.f_code.co_filename,
            line=found.f_lineno,
            function=found.f_code.co_name,
            stack="".join(traceback.format_stack(frame)[-_DEPTH:]),
        )

    @classmethod
    def who_lingers(cls) -> Self | None:
        """Give the plugin's code that keeps the process from ending.

        Where there is none in any thread that the end waits for, give where the main thread is.
        """
        threads = [threading.main_thread(), *lingering_threads()]
        found = [cls.in_thread(each.ident) for each in threads if each.ident is not None]
        there = [each for each in found if each is not None]
        return next((each for each in there if each.plugin), there[0] if there else None)

    @property
    def fields(self) -> dict[str, Any]:
        """Give everything but the plugin, as fields of a log line."""
        return {
            "file": self.file,
            "line": self.line,
            "function": self.function,
            "stack": self.stack,
        }


def lingering_threads() -> list[threading.Thread]:
    """Give the threads besides the main one that the end of the process waits for."""
    main = threading.main_thread()
    return [each for each in threading.enumerate() if each is not main and not each.daemon]


def _plugin_frame(frame: FrameType) -> FrameType | None:
    found: FrameType | None = frame
    while found is not None and not _plugin_of(found):
        found = found.f_back
    return found


def _plugin_of(frame: FrameType) -> str:
    module = frame.f_globals.get("__name__", "")
    if not isinstance(module, str) or not module.startswith(ROOT + "."):
        return ""
    return module.split(".")[1].rpartition("_")[0]
