"""Operating durable events: the real commands on a real application."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LIMIT = 60.0
MANIFEST = {
    "name": "mailer",
    "version": "1.0.0",
    "permissions": ["events.publish", "events.subscribe"],
    "events": {"publishes": ["mailer.sent"], "subscribes": ["order.*"]},
}
PLUGIN = """
from pathlib import Path
from nexus.plugins import BasePlugin

FOLDER = Path(__file__).resolve().parents[2]

class Mailer(BasePlugin):
    async def initialize(self):
        await self.subscribe_to_event("order.*", self.on_order, max_attempts=1)
        return True

    async def on_order(self, event):
        if not (FOLDER / "works").exists():
            raise ValueError("the mail server is away")
        with (FOLDER / "sent").open("a") as file:
            file.write(event.id + "\\n")
        await self.publish_event("mailer.sent", {"order": event.data["n"]})
"""


def environment() -> dict[str, str]:
    kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    return {**kept, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


class Shell:
    """The folder of an application, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, given: str = "", code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nexus", "events", *words],
            cwd=self.folder,
            env=environment(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def answer(self, *words: str, **options: Any) -> Any:
        return json.loads(self.run(*words, "--json", **options))

    def until(self, condition: Callable[[Any], Any], *words: str) -> Any:
        """Ask until an answer is as it should be, and give that."""
        deadline = time.monotonic() + LIMIT
        while not condition(found := self.answer(*words)):
            assert time.monotonic() < deadline, (words, found)
        return found

    @property
    def sent(self) -> list[str]:
        file = self.folder / "sent"
        return file.read_text().split() if file.exists() else []


class Lines:
    """A process whose lines are read as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: queue.Queue[str | None] = queue.Queue()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def expect(self, pattern: str) -> str:
        """Wait for a line that matches."""
        seen: list[str] = []
        while True:
            line = self._lines.get(timeout=LIMIT)
            assert line is not None, f"ended without {pattern!r}: {seen}"
            seen.append(line)
            if re.search(pattern, line):
                return line


@contextmanager
def started(folder: Path, *words: str) -> Iterator[Lines]:
    """Run a command, and see that it ends."""
    with (
        (folder / f"{words[0]}.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "nexus", *words],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        lines = Lines(process)
        reader = threading.Thread(target=lines.read)
        reader.start()
        try:
            yield lines
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            reader.join()


@contextmanager
def serving(folder: Path) -> Iterator[Callable[[], None]]:
    """Run the application; gives what stops it, which the end of the block does too."""
    with started(folder, "run", "--port", "0") as server:
        is_told = False

        def stop() -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                server.process.send_signal(signal.SIGTERM)

        server.expect("1 plugin runs")
        yield stop
        stop()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    folder = tmp_path / "plugins" / "mailer"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "plugin.py").write_text(PLUGIN)
    (tmp_path / "nexus.yaml").write_text("name: Acceptance\n")
    return Shell(tmp_path)


def test_an_operator_finds_mends_and_replays_what_went_wrong(shell: Shell) -> None:
    with serving(shell.folder):
        published = shell.run("publish", "order.placed", "--data", '{"n": 1}')
        assert "in the event log at position 1" in published
        event = shell.answer("publish", "order.placed", "--data", "-", given='{"n": 2}')

        def has_two(found: Any) -> bool:
            return len(found["items"]) == 2

        letters = shell.until(has_two, "dead", "list")["items"]
        assert {each["error"] for each in letters} == {"ValueError: the mail server is away"}
        assert "the mail server is away" in shell.run("dead", "list", "--plugin", "mailer")
        assert "in on_order" in shell.run("dead", "show", letters[0]["id"])
        [lag] = shell.answer("lag")["items"]
        assert (lag["subscription"], lag["dead"], lag["waiting"]) == ("mailer:order.*", 2, 0)

    # Another process has it all still.
    (shell.folder / "works").touch()
    with serving(shell.folder):
        assert shell.answer("dead", "list")["items"] == letters
        shell.run("dead", "drop", letters[1]["id"])
        assert "1 dead letter is handed over" in shell.run("dead", "retry", "-s", "mailer:order.*")
        shell.until(lambda found: not found["items"], "dead", "list")
        assert shell.sent == [event["id"]]
        assert shell.answer("show", event["id"]) == {**event, "worker": None}

        shell.until(lambda found: found["events"] == 2, "trace", event["id"])
        first, second = shell.run("trace", event["id"]).splitlines()
        assert first.split() == [event["id"], "order.placed", "nexus"]
        assert "└─ mailer.sent  mailer" in second

        done = shell.answer("replay", "-s", "mailer:order.*", "--since", "1h")
        assert done["events"] == 2
        shell.until(lambda _: len(shell.sent) == 3, "lag")
        assert shell.sent.count(event["id"]) == 2
        assert "Did you mean" in shell.run("replay", "-s", "mailer:ordr.*", "--since", "1h", code=1)
        assert "no event 'nothing'" in shell.run("show", "nothing", code=1)
    assert "No application is running" in shell.run("lag", code=3)


def test_following_shows_what_happens_until_the_application_stops(shell: Shell) -> None:
    (shell.folder / "works").touch()
    words = ("events", "tail", "--follow", "--json", "--name", "order.*")
    with serving(shell.folder) as stop:
        shell.run("publish", "order.first", "--data", '{"n": 1}')
        with started(shell.folder, *words) as following:
            following.expect("order.first")  # so it watches by now
            event = shell.answer("publish", "order.second", "--data", '{"n": 2}')
            assert json.loads(following.expect("order.second")) == event
            stop()
    assert shell.sent[-1] == event["id"]
