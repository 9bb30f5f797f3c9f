import asyncio
from pathlib import Path

import pytest

from nexus.cli import written
from nexus.cli.written import Drafts, is_unfinished


@pytest.mark.parametrize(
    ("name", "text", "unfinished"),
    [
        ("plugin.py", "", True),
        ("plugin.py", "def (", True),
        ("plugin.py", "x = 1\n", False),
        ("__init__.py", "", False),
        ("manifest.json", "", True),
        ("manifest.json", '{"name": ', True),
        ("manifest.json", "{}", False),
        ("default.yaml", "a: [", True),
        ("default.yaml", "a: 1\n", False),
        ("page.html", "", False),
    ],
)
def test_a_file_that_does_not_parse_is_unfinished(
    tmp_path: Path, name: str, text: str, unfinished: bool
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_unfinished(tmp_path / name) is unfinished


def test_what_is_gone_or_a_folder_is_not_unfinished(tmp_path: Path) -> None:
    assert not is_unfinished(tmp_path)
    assert not is_unfinished(tmp_path / "gone.py")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Record the waits; during one the editor writes the rest of the file."""
    seen: list[float] = []

    async def sleep(seconds: float) -> None:
        seen.append(seconds)
        (tmp_path / "plugin.py").write_text("x = 1\n", encoding="utf-8")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seen


async def test_an_unfinished_file_is_given_a_moment_once(
    tmp_path: Path, waits: list[float]
) -> None:
    file = tmp_path / "plugin.py"
    file.write_text("", encoding="utf-8")
    drafts = Drafts()
    assert await drafts.written([file]) == [file]
    assert waits == [written.WAIT]
    assert await drafts.written([file]) == []  # the second step of the same change
    file.write_text("x = 1234\n", encoding="utf-8")
    assert await drafts.written([file]) == [file]
    assert waits == [written.WAIT]
