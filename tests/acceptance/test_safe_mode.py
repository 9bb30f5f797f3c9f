"""Starts that crash, in real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

TOKEN = "a-token-for-the-acceptance-tests"
LIMIT = 60.0


def command(folder: Path, *words: str) -> "subprocess.Popen[str]":
    kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "nexus", "run", "--port", "0", "--json", *words],
        cwd=folder,
        env={**kept, "NEXUS_ADMIN_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


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
        process.communicate(timeout=LIMIT)


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
    crashing.communicate(timeout=LIMIT)
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
