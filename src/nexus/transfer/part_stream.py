"""The parts of a data file on their way into the database."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from nexus.transfer.files import DataFile
from nexus.transfer.parts import Document, Part, RowPart

P = TypeVar("P", Document, RowPart)


class PartStream:
    """The parts of a file, of which a loop may leave some to others.

    Args:
        file: The file.
        progress: Told how many of its bytes have been read.
    """

    def __init__(self, file: DataFile, progress: Callable[[int], None]) -> None:
        self._file = file
        self._parts = file.parts()
        self._back: Part | None = None
        self._progress = progress

    def __iter__(self) -> Iterator[Part]:
        while (part := self._take()) is not None:
            yield part

    def has(self, kind: type[P]) -> bool:
        """Tell whether the next part is of a kind."""
        self._back = self._take()
        return isinstance(self._back, kind)

    def following(self, kind: type[P], most: int | None = None) -> Iterator[P]:
        """Give the parts that follow, as long as they are of one kind.

        Args:
            kind: Which one.
            most: After so many bytes of the file there come no more.
        """
        left = most
        while left is None or left > 0:
            part = self._take()
            if not isinstance(part, kind):
                self._back = part
                return
            if left is not None:
                left -= part.size
            yield part

    def _take(self) -> Part | None:
        part, self._back = self._back, None
        if part is None:
            part = next(self._parts, None)
            self._progress(self._file.position)
        return part
