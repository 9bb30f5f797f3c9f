"""Waits for files that an editor is in the middle of writing.

Many editors empty a file before they fill it, or write it in parts, and each step is a change.
"""

import ast
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

WAIT: Final = 0.3
"""Seconds that a file which cannot be right yet is given."""

_Stamp = tuple[int, int]


class Drafts:
    """Gives files that look unfinished a moment, and remembers how they came out.

    Args:
        wait: Seconds to wait for a file that is empty or does not parse.
    """

    def __init__(self, wait: float = WAIT) -> None:
        self._wait = wait
        self._taken: dict[Path, _Stamp | None] = {}

    async def written(self, paths: Sequence[Path]) -> list[Path]:
        """Give the changed files that are to be brought in, after a wait where one is unfinished.

        The second step of a change that was waited for already is left out.
        """
        new = [path for path in paths if path not in self._taken or not self._is_taken(path)]
        self._taken.clear()
        if await asyncio.to_thread(_any_unfinished, new):
            await asyncio.sleep(self._wait)
            # Noted before they are read: what is written later is a change of its own.
            self._taken = {path: _stamp(path) for path in new}
        return new

    def _is_taken(self, path: Path) -> bool:
        return self._taken[path] is not None and self._taken[path] == _stamp(path)


def is_unfinished(path: Path) -> bool:
    """Tell whether a file is empty or does not parse; False for what is no code and no data."""
    try:
        content = path.read_bytes() if path.is_file() else None
    except OSError:
        return False
    if content is None or path.suffix not in {".py", ".json", ".yaml"}:
        return False
    if not content.strip():
        return path.name != "__init__.py"
    try:
        _parse(path, content)
    except (ValueError, SyntaxError, RecursionError):
        return True
    return False


def _any_unfinished(paths: Sequence[Path]) -> bool:
    return any(is_unfinished(path) for path in paths)


def _parse(path: Path, content: bytes) -> None:
    if path.suffix == ".json":
        json.loads(content)
    elif path.suffix == ".py":
        ast.parse(content, str(path))
    else:
        import yaml

        try:
            yaml.compose(content, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
