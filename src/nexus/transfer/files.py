"""Data files on a disk: written whole or not at all, readable by their owner only."""

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from nexus.errors import DataFileDamaged
from nexus.transfer.parts import Counts, Header, Part, read_parts

STANDARD: Final = Path("-")
"""Stands for standard input or output."""

_GZIP: Final = b"\x1f\x8b"


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file, compressed where its name ends with `.gz`; it appears when the block ends.

    Args:
        path: Where it goes, in place of what is there; `-` for standard output.

    Raises:
        OSError: It cannot be written.
    """
    if path == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    draft.unlink(missing_ok=True)
    try:
        with open(draft, "xb", opener=_owner_only) as raw:
            if path.name.endswith(".gz"):
                # Without a name and a time, the same data gives the same file.
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped:
                    yield cast("BinaryIO", zipped)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a data file has, as a whole reading of it found.

    Attributes:
        header: Its first line.
        counts: How much it has of everything.
    """

    header: Header
    counts: Counts


class DataFile:
    """A data file that is read, as often as needed.

    Args:
        stream: The file as it lies there, compressed or not.
        path: Its name, for messages.

    Attributes:
        path: As given.
        size: Its bytes.
    """

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self.path = path
        self.size = stream.seek(0, os.SEEK_END)
        self._stream = stream

    @property
    def position(self) -> int:
        """How many of its bytes have been read."""
        return self._stream.tell()

    def check(self) -> Contents:
        """Read it once, and tell what is in it.

        Raises:
            DataFileDamaged: It is not as it was written.
            DataFileRefused: It is of a format that is not known here, or a line is too long.
        """
        header: Header | None = None
        counts = Counts()
        for part in self.parts():
            if isinstance(part, Header):
                header = part
            part.add_to(counts)
        if header is None:  # an empty file has been told
            raise DataFileDamaged(path=self.path, line=None, problem="the file is empty")
        return Contents(header=header, counts=counts)

    def parts(self) -> Iterator[Part]:
        """Give what is in it, from its beginning; see `read_parts`."""
        self._stream.seek(0)
        is_zipped = self._stream.read(len(_GZIP)) == _GZIP
        self._stream.seek(0)
        try:
            if is_zipped:
                with gzip.GzipFile(fileobj=self._stream, mode="rb") as unzipped:
                    yield from read_parts(cast("BinaryIO", unzipped), self.path)
            else:
                yield from read_parts(self._stream, self.path)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problem = f"it cannot be unzipped ({error})"
            raise DataFileDamaged(path=self.path, line=None, problem=problem) from error


@contextmanager
def opened_file(path: Path) -> Iterator[DataFile]:
    """Open a data file.

    Args:
        path: The file; `-` for standard input, which is kept in a temporary file meanwhile.

    Raises:
        OSError: It cannot be read.
    """
    if path == STANDARD:
        with tempfile.TemporaryFile(prefix="nexus-import-") as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            yield DataFile(cast("BinaryIO", kept), "standard input")
        return
    with path.open("rb") as stream:
        yield DataFile(stream, str(path))
