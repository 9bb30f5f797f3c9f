"""The command line on a real application in a real process."""

import json
import os
import queue
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

LIMIT = 60.0
PLUGIN = """
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Greeter(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/word")
        async def word() -> str:
            return "first"

        return [router]
"""


def environment() -> dict[str, str]:
    kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def nexus(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nexus.cli", *words],
        cwd=folder,
        env={**environment(), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


def answer(folder: Path, *words: str) -> Any:
    done = nexus(folder, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Server:
    """`nexus run`, whose standard output is read as it comes."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.seen = ""
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nexus.cli", "run", "--port", "0", *words],
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait for a line that matches."""
        while True:
            line = self._lines.get(timeout=LIMIT)
            assert line is not None, f"ended without {pattern!r}:\n{self.seen}\n{self.errors}"
            self.seen += line
            found = re.search(pattern, line)
            if found is not None:
                return found

    @property
    def errors(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        run = json.loads((self.folder / "data" / "run.json").read_text(encoding="utf-8"))
        return str(run["url"])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, timeout=LIMIT)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(LIMIT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def application(tmp_path: Path) -> Path:
    folder = tmp_path / "application"
    plugin = folder / "plugins" / "greeter"
    plugin.mkdir(parents=True)
    (folder / "nexus.yaml").write_text("name: Test\n", encoding="utf-8")
    manifest = {
        "name": "greeter",
        "version": "1.0.0",
        "configuration": {"retries": {"type": "integer", "default": 3, "max": 10}},
    }
    (plugin / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (plugin / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    return folder


@pytest.fixture
def serve(application: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*words: str) -> Server:
        server = Server(application, *words)
        started.append(server)
        server.expect(r"plugins? (runs?|not running)|No plugins yet")
        return server

    yield start
    for server in started:
        server.close()


def test_an_application_is_operated_while_it_serves(
    serve: Callable[..., Server], application: Path, tmp_path: Path
) -> None:
    server = serve()
    assert server.get("/plugins/greeter/word").json() == "first"
    assert answer(application, "plugin", "list")["items"][0]["state"] == "running"
    assert answer(application, "plugin", "info", "greeter")["live"]["generation"] == 1
    assert answer(application, "health")["status"] == "healthy"

    assert answer(application, "plugin", "disable", "greeter")["state"] == "disabled"
    assert server.get("/plugins/greeter/word").status_code == 503
    assert answer(application, "plugin", "enable", "greeter")["state"] == "running"
    assert answer(application, "plugin", "reload", "greeter")["generation"] == 3

    changed = answer(application, "config", "set", "greeter", "retries", "5")
    assert (changed["value"], changed["source"], changed["state"]) == (5, "stored", "running")
    assert answer(application, "config", "get", "greeter", "retries")["value"] == 5
    refused = nexus(application, "config", "set", "greeter", "retries", "50")
    assert refused.returncode == 4
    assert "at most 10" in refused.stderr

    message = "Back at noon."
    assert answer(application, "maintenance", "on", "--message", message)["on"] is True
    meanwhile = server.get("/plugins/greeter/word")
    assert meanwhile.status_code == 503
    assert message in meanwhile.text
    assert answer(application, "maintenance", "off")["on"] is False
    assert server.get("/plugins/greeter/word").status_code == 200

    assert answer(application, "doctor")["ok"] is True
    file = tmp_path / "backup.db"
    assert answer(application, "backup", str(file))["bytes"] == file.stat().st_size
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)

    running = nexus(application, "restore", str(file), "--yes")
    assert running.returncode == 1
    assert "Stop it first" in running.stderr
    assert nexus(application, "token", "renew").returncode == 1
    assert server.end(signal.SIGTERM) == 0
    assert "Traceback" not in server.errors
    assert answer(application, "restore", str(file), "--yes")["replaced"]
    assert answer(application, "config", "get", "greeter", "retries")["value"] == 5


def test_a_reload_that_fails_keeps_the_old_code_and_says_so(
    serve: Callable[..., Server], application: Path
) -> None:
    server = serve()
    (application / "plugins/greeter/plugin.py").write_text("def (", encoding="utf-8")
    failed = nexus(application, "plugin", "reload", "greeter")
    assert failed.returncode == 1
    assert "keeps serving" in failed.stderr
    assert server.get("/plugins/greeter/word").json() == "first"


def test_a_far_application_needs_its_token(
    serve: Callable[..., Server], application: Path, tmp_path: Path
) -> None:
    server = serve()
    token = re.search(r"nexus_\S+", server.seen)
    assert token is not None, server.seen
    assert token[0] not in server.errors
    there = ("--url", server.url)
    listed = nexus(tmp_path, "plugin", "list", *there, "--token", token[0], "--json")
    assert json.loads(listed.stdout)["items"][0]["name"] == "greeter"
    by_environment = nexus(
        tmp_path, "plugin", "list", NEXUS_URL=server.url, NEXUS_ADMIN_TOKEN=token[0]
    )
    assert by_environment.returncode == 0
    for words in ([], ["--token", "wrong"]):
        refused = nexus(tmp_path, "plugin", "list", *there, *words)
        assert refused.returncode == 4
        assert "token" in refused.stderr


def test_a_second_run_is_refused(serve: Callable[..., Server], application: Path) -> None:
    server = serve()
    second = nexus(application, "run", "--port", "0")
    assert second.returncode == 1
    assert f"running already at {server.url}" in second.stderr
    assert server.get("/health/live").status_code == 200


def test_a_database_serves_one_application_only(
    serve: Callable[..., Server], application: Path, tmp_path: Path
) -> None:
    server = serve()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "plugins").mkdir(parents=True)
    same = f"sqlite:///{application / 'data' / 'nexus.db'}"
    for words in (("run", "--port", "0"), ("token", "renew")):
        refused = nexus(elsewhere, *words, NEXUS_DATABASE__URL=same)
        assert refused.returncode == 1
        assert f"process {server.process.pid}" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (elsewhere / "data" / "run.json").exists()
    assert server.end(signal.SIGTERM) == 0
    assert nexus(elsewhere, "token", "renew", NEXUS_DATABASE__URL=same).returncode == 0


def test_a_run_file_that_cannot_be_written_ends_the_application(application: Path) -> None:
    (application / "data" / "run.json").mkdir(parents=True)
    ended = nexus(application, "run", "--port", "0")
    assert ended.returncode == 1
    assert "run.json" in ended.stderr
    assert "Traceback" not in ended.stderr
    (application / "data" / "run.json").rmdir()
    assert nexus(application, "token", "renew").returncode == 0


def test_a_program_reads_the_start_line_by_line(application: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "nexus.cli", "run", "--port", "0", "--json"],
        cwd=application,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            token, listening, settled = [json.loads(running.stdout.readline()) for _ in range(3)]
            url, headers = listening["url"], {"Authorization": f"Bearer {token['token']}"}
            plugins = httpx.get(f"{url}/api/v1/plugins", headers=headers, trust_env=False)
        finally:
            running.send_signal(signal.SIGINT)
            rest = running.stdout.read()
        assert running.wait(LIMIT) == 0
    assert plugins.status_code == 200
    assert [each["event"] for each in (token, listening, settled)] == [
        "token",
        "listening",
        "settled",
    ]
    assert (listening["pid"], listening["docs"]) == (running.pid, f"{url}/docs")
    assert (settled["running"], settled["others"]) == (["greeter"], [])
    assert rest == ""


def test_a_port_in_use_is_told(serve: Callable[..., Server], application: Path) -> None:
    server = serve()
    port = server.url.rpartition(":")[2]
    second = nexus(
        application, "run", "--port", port, NEXUS_DATA_DIR=str(application / "other-data")
    )
    assert second.returncode == 1
    assert "another program listens there" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_killed_application_counts_as_not_running(
    serve: Callable[..., Server], application: Path
) -> None:
    server = serve()
    server.end(signal.SIGKILL)
    listed = nexus(application, "plugin", "list")
    assert listed.returncode == 0
    assert "No application is running" in listed.stderr
    assert "ended without cleaning up" in listed.stderr
    assert nexus(application, "health").returncode == 3
    serve()
    assert answer(application, "health")["status"] == "healthy"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_application_cleanly(
    serve: Callable[..., Server], application: Path, number: int
) -> None:
    server = serve()
    assert server.end(number) == 0
    assert not (application / "data" / "run.json").exists()
    assert "Traceback" not in server.errors


def test_a_second_interrupt_stops_without_waiting(
    serve: Callable[..., Server], application: Path
) -> None:
    code = PLUGIN.replace(
        "    def get_api_routes",
        "    async def shutdown(self):\n"
        "        import asyncio\n"
        "        print('shutting down', flush=True)\n"
        "        await asyncio.sleep(600)\n\n"
        "    def get_api_routes",
    )
    (application / "plugins/greeter/plugin.py").write_text(code, encoding="utf-8")
    server = serve()
    server.process.send_signal(signal.SIGINT)
    server.expect("shutting down")
    assert server.end(signal.SIGINT) == 130
    assert not (application / "data" / "run.json").exists()


def test_a_plugin_that_does_not_run_is_told_with_its_reason(
    serve: Callable[..., Server], application: Path
) -> None:
    manifest = {"name": "lonely", "version": "1.0.0", "dependencies": ["nobody"]}
    (application / "plugins/lonely").mkdir()
    (application / "plugins/lonely/manifest.json").write_text(json.dumps(manifest))
    (application / "plugins/lonely/plugin.py").write_text(PLUGIN)
    server = serve()
    server.expect(r"lonely +blocked +It needs the plugin 'nobody'")
    unwell = nexus(application, "health", "--json")
    assert unwell.returncode == 1
    assert json.loads(unwell.stdout)["status"] == "degraded"


def test_a_change_reloads_just_that_plugin(serve: Callable[..., Server], application: Path) -> None:
    server = serve("--reload")
    plugin = application / "plugins" / "greeter"

    plugin.joinpath("plugin.py").write_text(PLUGIN.replace("first", "second"), encoding="utf-8")
    server.expect(r"greeter reloaded in \d+ ms \(generation 2\)")
    assert server.get("/plugins/greeter/word").json() == "second"

    plugin.joinpath("plugin.py").write_text("def (", encoding="utf-8")
    server.expect("greeter' was not reloaded.*Generation 2 keeps serving")
    assert server.get("/plugins/greeter/word").json() == "second"

    # A test file changes nothing; a file of the application wants a restart.
    plugin.joinpath("tests").mkdir()
    plugin.joinpath("tests", "test_it.py").write_text("", encoding="utf-8")
    (application / "nexus.yaml").write_text("name: Other\n", encoding="utf-8")
    server.expect("nexus.yaml has changed; restart")
    assert answer(application, "plugin", "info", "greeter")["generation"] == 2

    draft = application / "draft"
    draft.mkdir()
    manifest = {"name": "newcomer", "version": "1.0.0"}
    draft.joinpath("manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    draft.joinpath("plugin.py").write_text(PLUGIN, encoding="utf-8")
    draft.rename(application / "plugins" / "newcomer")
    server.expect("newcomer was found and runs")
    assert server.get("/plugins/newcomer/word").json() == "first"


STREAM = """
import asyncio, contextlib, sys
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from nexus.plugins import BasePlugin

class Streamer(BasePlugin):
    async def initialize(self):
        return True

    async def shutdown(self):
        sys.stderr.write("streamer was shut down\\n")

    def get_api_routes(self):
        router = APIRouter()

        async def parts():
            while True:
                yield b"data: x\\n\\n"
                await asyncio.sleep(0.01)

        @router.get("/stream")
        async def stream():
            return StreamingResponse(parts(), media_type="text/event-stream")

        @router.get("/hang")
        async def hang():
            sys.stderr.write("hanging\\n")
            await asyncio.Event().wait()

        return [router]
"""


def test_an_open_stream_is_cut_at_the_drain_limit_and_the_plugin_shut_down(
    application: Path, serve: Callable[..., Server]
) -> None:
    settings = "name: Test\nshutdown: {drain_timeout: 1}\n"
    (application / "nexus.yaml").write_text(settings, encoding="utf-8")
    (application / "plugins" / "greeter" / "plugin.py").write_text(STREAM, encoding="utf-8")
    server = serve()
    base = f"{server.url}/plugins/greeter"
    hung: list[int] = []

    def hang() -> None:
        hung.append(httpx.get(f"{base}/hang", trust_env=False, timeout=LIMIT).status_code)

    waiting = threading.Thread(target=hang)
    with httpx.stream("GET", f"{base}/stream", trust_env=False, timeout=LIMIT) as stream:
        parts = stream.iter_raw()
        next(parts)
        waiting.start()
        while "hanging" not in server.errors:
            next(parts)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in parts:
                pass
    waiting.join(LIMIT)
    assert server.process.wait(LIMIT) == 0
    assert hung == [503]
    assert "streamer was shut down" in server.errors
    assert "Traceback" not in server.errors
