"""A data file as lines: how they are written, summed, read and checked.

Each line is one JSON object in UTF-8. The first tells what the file is, the last its counts and the
SHA-256 of everything before it. docs/reference/data-file.md describes the format.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

from nexus.errors import DataFileDamaged, DataFileRefused, NotExportable

FORMAT: Final = 1
MAGIC: Final = "plugin-data"

LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes, with the end of the line. A longer one is not written, and not read: what it says would
take twenty times as much memory, and a compressed file of a few kilobytes can have one."""

_BLOCK: Final = 64 * 1024
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def line_of(record: Any) -> bytes:
    """Give the line of a record.

    Raises:
        ValueError: It has a number that JSON does not have.
    """
    try:
        return (_encode(record) + "\n").encode()
    except UnicodeEncodeError:  # lone surrogates, which JSON has as escapes only
        return (_encode_ascii(record) + "\n").encode()


class LineWriter:
    """Writes lines in blocks, and sums them.

    Args:
        write: Takes the next block.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._size = 0

    async def put(self, record: Any, place: str = "The plugin") -> None:
        """Write a record; see `put_line`."""
        await self.put_line(line_of(record), place)

    async def put_line(self, line: bytes, place: str) -> None:
        """Write a line as it is, with its end.

        Args:
            line: The line.
            place: Where it comes from, for messages.

        Raises:
            NotExportable: It is longer than a line may be.
        """
        if len(line) > LONGEST_LINE:
            raise NotExportable(
                place=place,
                found=f"a line of {len(line):,} bytes",
                expected=f"lines of at most {LONGEST_LINE:,} bytes, bytes in base64; divide it, or"
                " keep large contents in files",
            )
        self._digest.update(line)
        self._waiting.append(line)
        self._size += len(line)
        if self._size >= _BLOCK:
            await self._flush()

    async def end(self, counts: Any) -> None:
        """Write the last line."""
        self._waiting.append(line_of({"end": counts, "sha256": self._digest.hexdigest()}))
        await self._flush()

    async def _flush(self) -> None:
        block, self._waiting, self._size = b"".join(self._waiting), [], 0
        await self._write(block)


class Line(NamedTuple):
    """A line of a file: its number from 1, its bytes, and what it says."""

    number: int
    size: int
    record: dict[str, Any]


def read_lines(stream: BinaryIO, path: str) -> Iterator[Line]:
    """Give the lines of a file, the last one included.

    Args:
        stream: The file, not compressed.
        path: Its name, for messages.

    Raises:
        DataFileDamaged: A line is no record, or the sum in the last one is another one.
        DataFileRefused: A line is longer than any that is written.
    """
    digest = hashlib.sha256()
    number = 0
    ended = False
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if ended:
            raise DataFileDamaged(path=path, line=number, problem="something follows the last line")
        record = _record(line, path, number)
        if "end" in record:
            _check_sum(record, digest.hexdigest(), path, number)
            ended = True
        digest.update(line)
        yield Line(number, len(line), record)
    if not ended:
        problem = "the file is empty" if number == 0 else "the file ends before its last line"
        raise DataFileDamaged(path=path, line=number or None, problem=problem)


def _record(line: bytes, path: str, number: int) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise DataFileRefused(
            path=path,
            line=number,
            problem=f"the line has more than {LONGEST_LINE:,} bytes, the most that a line may have",
            advice="No export of this Nexus has such a line. Export again where the data comes"
            " from; what is too large is named there, and has to be divided or removed first.",
        )
    if not line.endswith(b"\n"):
        raise DataFileDamaged(path=path, line=number, problem="the line is not whole")
    try:
        record = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        problem = f"the line is no JSON ({error})"
        raise DataFileDamaged(path=path, line=number, problem=problem) from error
    if type(record) is not dict:
        raise DataFileDamaged(path=path, line=number, problem="the line is no JSON object")
    return record


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is no number of JSON"
    raise ValueError(message)


def _check_sum(record: dict[str, Any], found: str, path: str, number: int) -> None:
    if record.get("sha256") != found:
        problem = "the file was changed after it was written: its SHA-256 is another one"
        raise DataFileDamaged(path=path, line=number, problem=problem)
