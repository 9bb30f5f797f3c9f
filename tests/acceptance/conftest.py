"""An application in a real process."""

import json
import os
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


class Application:
    """A running `nexus run`, and a client of it."""

    def __init__(self, client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
        self.client = client
        self.process = process

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def events(self, name: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.client.get(
            "/api/v1/events", params={"name": name}
        ).json()["items"]
        return items


@contextmanager
def running(
    folder: Path, *, ends_with: int = 0, ready: bool = True, **environment: str
) -> Iterator[Application]:
    """Run the application of a folder.

    Args:
        folder: The application's folder.
        ends_with: The exit code that the process has to end with.
        ready: Whether to wait until it is ready.
        environment: Further environment variables.
    """
    log = (folder / "stderr.txt").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "nexus", "run", "--port", "0"],
        cwd=folder,
        env={**os.environ, "NEXUS_ADMIN_TOKEN": TOKEN, **environment},
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        url = _listening(folder, process)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            if ready:
                until(lambda: client.get("/health/ready").status_code == 200, process, folder)
            yield Application(client, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()
        (folder / "data" / "run.json").unlink(missing_ok=True)
    assert process.returncode == ends_with, (folder / "stderr.txt").read_text()


def _listening(folder: Path, process: subprocess.Popen[bytes]) -> str:
    run_file = folder / "data" / "run.json"
    until(run_file.is_file, process, folder)
    url: str = json.loads(run_file.read_text())["url"]
    return url


def until(condition: Callable[[], Any], process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a condition holds; a process that ends instead fails the test."""
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail((folder / "stderr.txt").read_text())
        time.sleep(0.02)


@pytest.fixture
def run_application() -> Any:
    """Give what runs an application in a process of its own."""
    return running
