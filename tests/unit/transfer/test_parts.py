"""A data file is read as it was written, or refused."""

import io
import json
from typing import Any

import pytest

from nexus.errors import DataFileDamaged, DataFileRefused, NotExportable
from nexus.transfer.lines import LineWriter, line_of
from nexus.transfer.parts import (
    Counts,
    Document,
    RowPart,
    Setting,
    read_parts,
)


def read(content: bytes) -> list[Any]:
    return list(read_parts(io.BytesIO(content), "f.jsonl"))


async def test_what_was_written_is_read(whole: bytes, header: Any, lines: Any, counts: Any) -> None:
    blocks: list[bytes] = []

    async def write(block: bytes) -> None:
        blocks.append(block)

    writer = LineWriter(write)
    await writer.put(header.record())
    for line in lines:
        await writer.put(line)
    await writer.end(counts.record())
    assert b"".join(blocks) == whole
    found, first, secret, *_, document, _, _, row, _ = read(whole)
    assert found == header
    assert first == Setting(2, "size", 5, secret=False)
    assert secret == Setting(3, "key", None, secret=True)
    assert document == Document(7, 42, "1", 2, {"a": 1})
    assert row == RowPart(10, 16, [1, "x"])


async def test_the_longest_line_that_is_written_is_read_and_a_longer_one_is_neither(
    monkeypatch: pytest.MonkeyPatch, file_of: Any, header: Any
) -> None:
    limit = 1000
    monkeypatch.setattr("nexus.transfer.lines.LONGEST_LINE", limit)
    setting = {"setting": "a", "value": ""}
    fitting = {**setting, "value": "x" * (limit - len(line_of(setting)))}
    longer = {**setting, "value": fitting["value"] + "x"}
    blocks: list[bytes] = []

    async def write(block: bytes) -> None:
        blocks.append(block)

    writer = LineWriter(write)
    await writer.put(fitting)
    with pytest.raises(NotExportable, match=r"The setting holds a line of 1,001 bytes.* 1,000 "):
        await writer.put(longer, "The setting")

    counts = Counts(settings=1).record()
    assert len(read(file_of([header.record(), fitting], counts))) == 2
    with pytest.raises(
        DataFileRefused, match=r"line 2: the line has more than 1,000 bytes"
    ) as told:
        read(file_of([header.record(), longer], counts))
    assert "Export again where the data comes from" in str(told.value)


def test_no_part_of_a_file_is_the_file(whole: bytes) -> None:
    for size in range(len(whole)):
        with pytest.raises(DataFileDamaged):
            read(whole[:size])


def test_a_file_in_which_anything_was_changed_is_refused(whole: bytes) -> None:
    for place in range(len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises((DataFileDamaged, DataFileRefused)):
            read(bytes(changed))


def test_a_line_that_is_gone_is_noticed(whole: bytes, lines: Any) -> None:
    lines = whole.splitlines(keepends=True)
    for number in range(len(lines)):
        with pytest.raises(DataFileDamaged):
            read(b"".join(lines[:number] + lines[number + 1 :]))


def test_something_behind_the_last_line_is_noticed(whole: bytes) -> None:
    with pytest.raises(DataFileDamaged, match=r"f\.jsonl, line 13: something follows"):
        read(whole + line_of({"setting": "a", "value": 1}))


def test_a_file_is_told_from_others(file_of: Any) -> None:
    with pytest.raises(DataFileDamaged, match="no data file of Nexus"):
        read(file_of([{"nexus": "something else"}]))
    with pytest.raises(DataFileDamaged, match="line 1: the line is no JSON"):
        read(b"SQLite format 3\x00\xff\n")
    with pytest.raises(DataFileDamaged, match="the file is empty"):
        read(b"")


def test_another_format_is_refused_by_its_number(file_of: Any, header: Any) -> None:
    with pytest.raises(DataFileRefused, match="the format 2, and this Nexus reads the format 1"):
        read(file_of([{**header.record(), "format": 2}]))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"row": [1]}, "in no table"),
        ({"id": "1", "version": 1, "document": {}}, "in no collection"),
        ({"what": 1}, "unknown kind 'what'"),
        ({}, "unknown kind ''"),
        ({"setting": "a"}, "neither a value nor the note"),
        ({"setting": "a", "value": 1, "secret": True}, "neither a value nor the note"),
        ({"setting": 1, "value": 1}, "neither a value nor the note"),
        ({"data": "a"}, "a key without its value"),
        ({"data": 1, "value": 1}, "a value without its key"),
        ({"seeded": 5, "value": 1}, "a note about first data"),
        ({"seeded": "2", "value": 1}, "a note about first data"),
        ({"seeded": ""}, "a note about first data"),
        ({"collection": None}, "a collection without a name"),
        ({"table": "t", "columns": []}, "without columns"),
        ({"table": "t", "columns": ["id"]}, "without columns"),
    ],
    ids=repr,
)
def test_a_line_without_sense_is_told_with_its_number(
    line, problem, file_of: Any, header: Any
) -> None:
    with pytest.raises(DataFileDamaged, match=f"line 2: .*{problem}"):
        read(file_of([header.record(), line]))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([{"collection": "c"}, {"id": 1, "version": 1, "document": {}}], "a document without"),
        ([{"collection": "c"}, {"id": "1", "version": True, "document": {}}], "a document without"),
        ([{"collection": "c"}, {"id": "1", "version": 1, "document": []}], "a document without"),
        ([{"table": "t", "columns": [{"name": "a"}]}, {"row": [1, 2]}], "does not have 1 values"),
        ([{"table": "t", "columns": [{"name": "a"}]}, {"row": {"a": 1}}], "does not have 1 values"),
    ],
    ids=repr,
)
def test_what_is_no_document_and_no_row_is_told_with_its_number(
    lines, problem, file_of: Any, header: Any
) -> None:
    with pytest.raises(DataFileDamaged, match=f"line 3: .*{problem}"):
        read(file_of([header.record(), *lines]))


@pytest.mark.parametrize("text", ["NaN", "[1]", "1", '{"a": NaN}', '{"a": ' + "[" * 100_000, '"'])
def test_a_line_that_is_no_object_of_json_is_told(text: str, header: Any) -> None:
    with pytest.raises(DataFileDamaged, match="line 2: the line is no JSON"):
        read(line_of(header.record()) + text.encode() + b"\n")


def test_counts_are_held_against_what_came(
    file_of: Any, header: Any, lines: Any, counts: Any
) -> None:
    with pytest.raises(DataFileDamaged, match="its counts are not those"):
        read(file_of([header.record(), *lines], Counts().record()))


def test_text_that_utf8_cannot_carry_is_escaped() -> None:
    line = line_of({"data": "k", "value": "\ud800ü"})
    assert line.isascii()
    assert json.loads(line)["value"] == "\ud800ü"
