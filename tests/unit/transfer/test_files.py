import gzip
import io
import stat
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from nexus.errors import DataFileDamaged, DataFileRefused
from nexus.transfer.files import DataFile, new_file, opened_file


def write(path: Path, content: bytes) -> None:
    with new_file(path) as stream:
        stream.write(content)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_belongs_to_its_owner_and_reads_as_it_was_written(
    tmp_path: Path, name: str, whole: bytes, header: Any, counts: Any
) -> None:
    path = tmp_path / name
    write(path, whole)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [name]
    with opened_file(path) as file:
        for _ in range(2):
            contents = file.check()
            assert contents.header == header
            assert contents.counts == counts
            assert file.position == file.size == path.stat().st_size


def test_the_same_data_compresses_to_the_same_file(tmp_path: Path, whole: bytes) -> None:
    write(tmp_path / "a.gz", whole)
    write(tmp_path / "b.gz", whole)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == whole


def test_of_a_file_that_was_not_finished_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("before")
    with pytest.raises(TypeError), new_file(path) as stream:
        stream.write("no bytes")  # type: ignore[call-overload]  # which is what goes wrong
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path, whole: bytes) -> None:
    import os

    (tmp_path / f".a.jsonl.{os.getpid()}.partial").write_text("left")
    write(tmp_path / "a.jsonl", whole)
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("keep", [3, 15, -9, -1])
def test_a_compressed_file_that_was_cut_off_is_told(
    tmp_path: Path, keep: int, whole: bytes
) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(whole)[:keep])
    with opened_file(path) as file, pytest.raises(DataFileDamaged, match="cannot be unzipped"):
        file.check()


def test_a_compressed_file_with_a_changed_byte_is_told(tmp_path: Path, whole: bytes) -> None:
    packed = bytearray(gzip.compress(whole))
    packed[len(packed) // 2] ^= 255
    with pytest.raises(DataFileDamaged):
        DataFile(io.BytesIO(bytes(packed)), "a.gz").check()


def test_a_small_compressed_file_with_an_endless_line_takes_no_memory(
    monkeypatch: pytest.MonkeyPatch, whole: bytes
) -> None:
    limit = 256 * 1024
    monkeypatch.setattr("nexus.transfer.lines.LONGEST_LINE", limit)
    first = whole.partition(b"\n")[0] + b"\n"
    packed = gzip.compress(first + b'{"data":"' + b"x" * (128 * limit))
    file = DataFile(io.BytesIO(packed), "a.gz")
    tracemalloc.start()
    try:
        with pytest.raises(DataFileRefused, match=r"a\.gz, line 2: .* more than 262,144 bytes"):
            file.check()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * limit


def test_standard_input_and_output_are_files_too(
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    whole: bytes,
    counts: Any,
) -> None:
    write(Path("-"), whole)
    written = capsysbinary.readouterr().out
    assert written == whole
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(written))))
    with opened_file(Path("-")) as file:
        assert file.check().counts == counts
        assert file.check().counts == counts
