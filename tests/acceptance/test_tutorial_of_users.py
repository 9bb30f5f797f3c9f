"""The tutorial on users, typed as it stands there: every file, every command, every answer.

What is different each time, such as a token, stands there as an example: whatever takes its place
in an answer takes it in the later commands too, as with a reader who copies it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from tests.acceptance.conftest import running

PAGE: Final = Path(__file__).parents[2] / "docs" / "tutorial" / "users.md"
_BLOCK: Final = re.compile(
    r"(?:`(?P<path>[\w./-]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_EXAMPLE: Final = re.compile(r"\d{4}-\d\d-\d\d [\d:]+|(?=[\w.-]*\d)[\w.-]{16,}")
_END: Final = "-- that was all --"


class Reader:
    """Types what the page says into one shell, and compares what comes of it."""

    def __init__(self, folder: Path) -> None:
        self.known: dict[str, str] = {}
        programs = str(Path(sys.executable).parent)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("NEXUS_")}
        self.shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**kept, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "120"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def type(self, command: str) -> str:
        """Run a command, and give what it says."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        for example, real in self.known.items():
            command = command.replace(example, real)
        self.shell.stdin.write(f"{command}\necho; echo '{_END}'\n")
        self.shell.stdin.flush()
        said = []
        for line in self.shell.stdout:
            if line.rstrip() == _END:
                break
            said.append(line.rstrip())
        return "\n".join(said).strip()

    def compare(self, shown: str, said: str) -> None:
        """Hold an answer against the page, and learn what stands for the examples in it."""
        examples: list[str] = []
        pattern = ""
        end = 0
        for match in _EXAMPLE.finditer(shown):
            pattern += re.escape(shown[end : match.start()])
            if match[0] in self.known:
                pattern += re.escape(self.known[match[0]])
            elif match[0] in examples:
                pattern += f"(?P=e{examples.index(match[0])})"
            else:
                pattern += f"(?P<e{len(examples)}>[\\w.:-]+(?: [\\d:]+)?)"
                examples.append(match[0])
            end = match.end()
        found = re.fullmatch(pattern + re.escape(shown[end:]), said)
        assert found is not None, f"the page shows\n{shown}\nand the command says\n{said}"
        for number, example in enumerate(examples):
            self.known[example] = found[f"e{number}"]

    def close(self) -> None:
        self.shell.communicate("exit\n")


def _steps(text: str) -> Iterator[tuple[str, str]]:
    """Give each command of a console block with what the page shows of its answer."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown.strip()


def test_the_tutorial_of_users_does_what_it_says(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("skipped: no curl")
    blocks = list(_BLOCK.finditer(PAGE.read_text(encoding="utf-8")))
    folder = tmp_path / "club"
    with closing(Reader(tmp_path)) as reader:
        at = _until_run(blocks, reader, folder)
        with running(folder) as app:
            reader.known["http://127.0.0.1:8000"] = str(app.client.base_url).rstrip("/")
            for match in blocks[at:]:
                for command, shown in _steps(match["text"]):
                    reader.compare(shown, reader.type(command))
    assert len(reader.known) > 10, "the page has been followed"


def _until_run(blocks: list[re.Match[str]], reader: Reader, folder: Path) -> int:
    """Do what comes before `nexus run`, and give the number of the block behind it."""
    for number, match in enumerate(blocks):
        if match["path"]:
            (folder / match["path"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / match["path"]).write_text(match["text"], encoding="utf-8")
            continue
        for command, _ in _steps(match["text"]):
            if command.startswith("nexus run"):
                return number + 1
            reader.type(command)
    pytest.fail("the page runs nothing")
