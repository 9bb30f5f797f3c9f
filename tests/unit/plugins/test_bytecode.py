import os
import sys
from pathlib import Path
from types import CodeType

import pytest

from nexus.plugins.bytecode import BytecodeCache

# Long enough to be worth keeping.
ONE = "x = 1" + "#" * 300
TWO = "x = 2" + "#" * 300


class Compiler:
    """Compiles a file, and counts."""

    def __init__(self, file: Path, cache: BytecodeCache) -> None:
        self.file = file
        self.cache = cache
        self.count = 0

    def run(self, flavor: int = 1) -> object:
        source = self.file.read_bytes()

        def compile_() -> CodeType:
            self.count += 1
            return compile(source, str(self.file), "exec")

        names: dict[str, object] = {}
        exec(self.cache.get(str(self.file), source, flavor, compile_), names)  # noqa: S102
        return names["x"]


@pytest.fixture
def compiler(tmp_path: Path) -> Compiler:
    file = tmp_path / "part.py"
    file.write_text(ONE)
    return Compiler(file, BytecodeCache(tmp_path / "cache"))


def kept(compiler: Compiler) -> Path:
    [file] = (compiler.file.parent / "cache").iterdir()
    return file


def test_the_second_time_nothing_is_compiled(compiler: Compiler) -> None:
    assert (compiler.run(), compiler.run(), compiler.count) == (1, 1, 1)
    again = Compiler(compiler.file, BytecodeCache(compiler.file.parent / "cache"))
    assert (again.run(), again.count) == (1, 0)


def test_a_quick_edit_of_equal_size_and_time_is_seen(compiler: Compiler) -> None:
    compiler.run()
    stamp = compiler.file.stat()
    compiler.file.write_text(TWO)
    os.utime(compiler.file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (compiler.run(), compiler.count) == (2, 2)
    assert kept(compiler).is_file()  # the old one was replaced


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_file_is_made_again(compiler: Compiler, damage: bytes | None) -> None:
    compiler.run()
    whole = kept(compiler).read_bytes()
    half = whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]
    kept(compiler).write_bytes(half if damage is None else damage)
    assert (compiler.run(), compiler.count) == (1, 2)
    assert (compiler.run(), compiler.count) == (1, 2)


def test_what_else_decides_the_code_counts(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.run(1)
    compiler.run(2)
    assert compiler.count == 2

    class Flags:
        optimize = 2

    monkeypatch.setattr(sys, "flags", Flags)
    compiler.run(2)
    assert compiler.count == 3


def test_without_a_folder_everything_is_compiled(compiler: Compiler) -> None:
    compiler.cache = BytecodeCache(None)
    compiler.run()
    compiler.run()
    assert compiler.count == 2


def test_a_cache_that_cannot_be_written_only_warns(
    compiler: Compiler, caplog: pytest.LogCaptureFixture
) -> None:
    (compiler.file.parent / "cache").write_text("in the way")
    assert compiler.run() == 1
    assert "Bytecode was not kept" in caplog.text


def test_a_short_module_is_not_kept(compiler: Compiler) -> None:
    compiler.file.write_text("x = 3")
    assert compiler.run() == 3
    assert not (compiler.file.parent / "cache").exists()


def test_a_draft_that_could_not_be_finished_is_taken_away(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert compiler.run() == 1
    assert list((compiler.file.parent / "cache").iterdir()) == []
