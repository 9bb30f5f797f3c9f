"""Starts that crash, in real processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

TOKEN = "a-token-for-the-acceptance-tests"
LIMIT = 60.0


def command(folder: Path, *words: str) -> "subprocess.Popen[str]":
    kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    with (folder / "stderr.txt").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "nexus", "run", "--port", "0", "--json", *words],
            cwd=folder,
            env={**kept, "NEXUS_ADMIN_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def end(process: "subprocess.Popen[str]") -> None:
    """Wait for the end; the output is closed with the last of several processes."""
    try:
        process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


@contextmanager
def settled(process: "subprocess.Popen[str]") -> Iterator[dict[str, str]]:
    """Give what the application says when it listens, once every plugin has settled."""
    said: dict[str, str] = {}
    try:
        assert process.stdout is not None
        for line in process.stdout:
            found = json.loads(line)
            if found["event"] == "listening":
                said = found
            if found["event"] == "settled":
                break
        assert said, "it has ended"
        yield said
    finally:
        process.terminate()
        end(process)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugin = tmp_path / "plugins" / "bad"
    plugin.mkdir(parents=True)
    (plugin / "manifest.json").write_text(json.dumps({"name": "bad", "version": "1.0.0"}))
    (plugin / "plugin.py").write_text("import os\nos._exit(7)\n")
    (tmp_path / "nexus.yaml").write_text("name: Crashing\n")
    return tmp_path


def test_the_third_crash_in_a_row_leads_to_safe_mode_and_the_way_out_is_a_start(
    folder: Path,
) -> None:
    starts = folder / "data" / "starts.json"
    starts.parent.mkdir()
    starts.write_text(json.dumps(["2026-01-01T00:00:00", "2026-01-01T00:00:01"]))
    crashing = command(folder)
    end(crashing)
    assert crashing.returncode == 7
    assert len(json.loads(starts.read_text())) == 3

    with settled(command(folder)) as said:
        assert said["safe_mode"] == "The last 3 starts ended before the application was ready."
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=said["url"], headers=headers, timeout=LIMIT) as client:
            assert client.get("/health").json()["plugins"]["bad"]["state"] == "blocked"
            disabled = client.post("/api/v1/plugins/bad/disable")
            assert disabled.json()["state"] == "disabled"
    assert not starts.exists()

    with settled(command(folder)) as said:
        assert said["safe_mode"] is None


BLOCKS = """
from nexus.plugins import BasePlugin

class Plugin(BasePlugin):
    async def initialize(self):
        while True:
            pass
"""


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines(folder: Path, words: str) -> list[dict[str, Any]]:
    log = (folder / "stderr.txt").read_text().splitlines()
    return [json.loads(line) for line in log if line.startswith("{") and words in line]


def crashes(folder: Path) -> int:
    starts = folder / "data" / "starts.json"
    return len(json.loads(starts.read_text())) if starts.exists() else 0


@pytest.fixture
def blocked(folder: Path) -> Path:
    (folder / "plugins" / "bad" / "plugin.py").write_text(BLOCKS)
    (folder / "nexus.yaml").write_text("shutdown: {timeout: 1.0}\n")
    return folder


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_plugin_that_blocks_the_start_is_ended_and_leads_to_safe_mode(
    blocked: Path, workers: str
) -> None:
    starts = blocked / "data" / "starts.json"
    starts.parent.mkdir()
    starts.write_text(json.dumps(["2026-01-01T00:00:00", "2026-01-01T00:00:01"]))
    stuck = command(blocked, "--workers", workers)
    until(lambda: lines(blocked, "The event loop is blocked"))
    stuck.terminate()
    end(stuck)

    assert stuck.returncode == 5
    [before] = lines(blocked, "The last 2 starts ended before")
    assert before["level"] == "warning"
    told = lines(blocked, "does not let go")[0]
    assert told["plugin"] == "bad"
    assert told["line"] in {6, 7}
    assert told["file"] == str(blocked / "plugins" / "bad" / "plugin.py")
    [counted] = lines(blocked, "counts as a crash")
    assert counted["crashes"] == crashes(blocked) == 3

    with settled(command(blocked, "--workers", workers)) as said:
        assert said["safe_mode"] == "The last 3 starts ended before the application was ready."
    assert crashes(blocked) == 0


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_start_that_is_killed_although_it_was_told_to_stop_has_crashed(
    blocked: Path, workers: str
) -> None:
    (blocked / "nexus.yaml").write_text("shutdown: {timeout: 5.0}\n")
    stuck = command(blocked, "--workers", workers)
    until(lambda: lines(blocked, "The event loop is blocked"))
    stuck.send_signal(signal.SIGINT)
    until(lambda: "Stopping; a second Ctrl-C" in (blocked / "stderr.txt").read_text())
    stuck.kill()
    end(stuck)
    assert crashes(blocked) == 1


def test_blocked_workers_do_not_outlive_their_supervisor(blocked: Path) -> None:
    stuck = command(blocked, "--workers", "2")
    until(lambda: lines(blocked, "The event loop is blocked"))
    stuck.kill()
    end(stuck)
    workers = re.findall(r"Started server process \[(\d+)\]", (blocked / "stderr.txt").read_text())
    assert workers
    assert len(lines(blocked, "does not let go")) == len(workers)


def test_a_thread_that_a_plugin_leaves_behind_does_not_hold_up_the_stop(blocked: Path) -> None:
    (blocked / "plugins" / "bad" / "plugin.py").write_text(
        BLOCKS.replace("while True:\n            pass", "threading.Thread(target=linger).start()")
        .replace("from nexus", "import threading\nimport time\nfrom nexus", 1)
        .replace("class", "def linger():\n    time.sleep(1e6)\n\nclass", 1)
        + "        return True\n"
    )
    lingering = command(blocked)
    until(lambda: lines(blocked, "Plugin is running"))
    lingering.terminate()
    end(lingering)
    assert lingering.returncode == 5
    [told] = lines(blocked, "does not let go")
    assert (told["plugin"], told["function"]) == ("bad", "linger")
    assert lines(blocked, "Application shutdown complete")
