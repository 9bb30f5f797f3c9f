"""A process that waits for its database, and is refused when the server is there."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.cli.running import RUN_FILE

MAIN = "from nexus import create_nexus_app\n\napp = create_nexus_app()\n"


@contextmanager
def process(folder: Path, server: Any, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    where = server.url()
    url = f"{where.engine}://{where.user}:mistaken@{where.host}:{where.port}/{where.database}"
    kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    with (folder / "stderr.txt").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env={**kept, "NEXUS_DATABASE__URL": url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait(30)


async def answers(url: str, path: str) -> int:
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(60):
        while True:
            try:
                return (await client.get(path)).status_code
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def end(started: "subprocess.Popen[bytes]") -> int:
    return await asyncio.to_thread(started.wait, 60)


@pytest.mark.timeout(180)
async def test_nexus_run_ends_with_1_and_says_why(server: Any, tmp_path: Path) -> None:
    server.stop()
    (tmp_path / "nexus.yaml").write_text("name: shop\n")
    run_file = tmp_path / "data" / RUN_FILE
    with process(tmp_path, server, "nexus", "run", "--port", "0") as started:
        async with asyncio.timeout(60):
            while not run_file.is_file():
                await asyncio.sleep(0.1)
        url = json.loads(run_file.read_text())["url"]
        assert await answers(url, "/health/ready") == 503
        assert await answers(url, "/health/live") == 200
        await server.start()

        assert await end(started) == 1

    text = (tmp_path / "stderr.txt").read_text()
    last = text.strip().splitlines()[-1]
    assert "the password or the user was refused" in last
    assert text.count("The database is away") == 1
    assert "Traceback" not in text
    assert "mistaken" not in text
    assert not run_file.exists()


@pytest.mark.timeout(180)
async def test_another_server_is_told_to_end(server: Any, tmp_path: Path) -> None:
    server.stop()
    (tmp_path / "main.py").write_text(MAIN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with process(tmp_path, server, "uvicorn", "main:app", "--port", str(port)) as started:
        assert await answers(f"http://127.0.0.1:{port}", "/health/ready") == 503
        await server.start()

        assert await end(started) == -signal.SIGTERM

    text = (tmp_path / "stderr.txt").read_text()
    assert "The application cannot start" in text
    assert "the password or the user was refused" in text
    assert "Application shutdown complete" in text
