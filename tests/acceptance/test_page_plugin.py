"""The page's plugin, unchanged, in a real process that a real HTTP client talks to."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

SEED = Path(__file__).parents[1] / "seed" / "my_awesome_plugin"
TOKEN = "a-token-for-the-acceptance-tests"
PREFIX = "/plugins/my_awesome_plugin"
PLUGIN = "/api/v1/plugins/my_awesome_plugin"

STEADY = """
from fastapi import APIRouter
from nexus.plugins import BasePlugin


class Steady(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            return {"steady": True}

        return [router]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SEED, tmp_path / "plugins" / "my_awesome_plugin")
    steady = tmp_path / "plugins" / "steady"
    steady.mkdir()
    (steady / "manifest.json").write_text('{"name": "steady", "version": "1.0.0"}')
    (steady / "plugin.py").write_text(STEADY)
    (tmp_path / "nexus.yaml").write_text("name: Acceptance\n")
    return tmp_path


class Application:
    """A running `nexus run`, and a client of it."""

    def __init__(self, client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
        self.client = client
        self.process = process

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def act(self, action: str, **parameters: Any) -> Any:
        body = {"action": action, "parameters": parameters}
        response = self.client.post(f"{PREFIX}/action", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def events(self, name: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.client.get(
            "/api/v1/events", params={"name": name}
        ).json()["items"]
        return items


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Application]:
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
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            _until(lambda: client.get("/health/ready").status_code == 200, process, folder)
            yield Application(client, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()
    assert process.returncode == 0, (folder / "stderr.txt").read_text()


def _listening(folder: Path, process: subprocess.Popen[bytes]) -> str:
    run_file = folder / "data" / "run.json"
    _until(run_file.is_file, process, folder)
    url: str = json.loads(run_file.read_text())["url"]
    return url


def _until(condition: Any, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail((folder / "stderr.txt").read_text())
        time.sleep(0.02)


def test_the_plugin_answers_as_its_code_says(folder: Path) -> None:
    with running(folder, NEXUS_PLUGINS__MY_AWESOME_PLUGIN__API_KEY="key-from-the-test") as app:
        status = app.get(f"{PREFIX}/status").json()
        assert {key: status[key] for key in ("plugin", "version", "initialized")} == {
            "plugin": "my_awesome_plugin",
            "version": "1.0.0",
            "initialized": True,
        }
        assert status["action_count"] == 0
        assert status["uptime"] > 0

        assert app.act("ping")["result"]["message"] == "pong"
        assert app.act("echo", message="hi")["result"] == {"echo": "hi"}
        assert app.act("count")["result"] == {"current_count": 2}
        unknown = app.act("dance")
        assert unknown == {
            "success": False,
            "message": "Action failed: Unknown action: dance",
            "result": None,
        }
        assert app.client.post(f"{PREFIX}/action", json={}).status_code == 422

        health = app.get(f"{PREFIX}/health").json()
        assert health["healthy"] is True
        assert health["components"]["actions"] == {"status": "healthy", "count": 3}
        assert health["components"]["configuration"] == {"status": "healthy"}
        assert health["metrics"]["actions_total"] == 3.0

        later = app.get(f"{PREFIX}/status").json()
        assert later["action_count"] == 3
        assert later["last_action"]["action"] == "count"
        assert later["uptime"] > status["uptime"]


def test_the_docs_list_its_routes(folder: Path) -> None:
    with running(folder, NEXUS_PLUGINS__MY_AWESOME_PLUGIN__API_KEY="key-from-the-test") as app:
        document = app.get("/openapi.json").json()
        assert {f"{PREFIX}/status", f"{PREFIX}/action", f"{PREFIX}/health"} <= set(
            document["paths"]
        )
        page = app.get("/docs")
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]


def test_events_services_data_and_configuration_are_real_and_survive_a_restart(
    folder: Path,
) -> None:
    with running(folder) as app:
        set_key = app.client.patch(f"{PLUGIN}/config", json={"api_key": "stored-key-1234"})
        assert set_key.status_code == 200, set_key.text
        app.act("ping")
        app.act("ping")

        [completed, _] = app.events("my_awesome_plugin.action_completed")
        assert completed["data"]["action"] == "ping"
        assert completed["source"] == "my_awesome_plugin"
        assert app.events("my_awesome_plugin.initialized")

        services = app.get("/api/v1/services").json()["items"]
        assert ("my_awesome_plugin.api", "my_awesome_plugin") in {
            (each["name"], each["plugin"]) for each in services
        }

        published = app.client.post(
            "/api/v1/events",
            json={"name": "user.created", "data": {"user_id": "7", "username": "ada"}},
        )
        assert published.status_code == 202
        _until(
            lambda: "New user created: ada (ID: 7)" in (folder / "stderr.txt").read_text(),
            app.process,
            folder,
        )

        # The page's handler of maintenance saves its state: the count as a setting, the last
        # action as data.
        assert app.client.put("/api/v1/system/maintenance", json={"on": True}).status_code == 200
        assert app.get(f"{PREFIX}/status").status_code == 503
        assert app.client.put("/api/v1/system/maintenance", json={"on": False}).status_code == 200
        assert app.get(f"{PREFIX}/status").status_code == 200

    with running(folder) as app:
        config = {entry["key"]: entry for entry in app.get(f"{PLUGIN}/config").json()["items"]}
        assert config["action_count"]["value"] == 2
        assert config["action_count"]["source"] == "stored"
        assert config["api_key"]["value"] == "********"
        assert config["max_actions_per_minute"]["value"] == 60
        assert app.get(f"{PREFIX}/status").json()["initialized"] is True

    log = (folder / "stderr.txt").read_text()
    database = (folder / "data" / "nexus.db").read_bytes()
    assert "stored-key-1234" not in log
    assert b"stored-key-1234" not in database


def test_without_its_key_it_is_blocked_says_how_to_help_and_starts_by_itself(
    folder: Path,
) -> None:
    with running(folder) as app:
        shown = app.get(PLUGIN).json()
        assert shown["state"] == "blocked"
        assert "nexus config set my_awesome_plugin api_key" in shown["reason"]
        refused = app.get(f"{PREFIX}/status")
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        assert "api_key" in refused.json()["detail"]
        assert app.get("/plugins/steady/").json() == {"steady": True}
        assert app.get("/health/ready").status_code == 200
        assert app.get("/health").json()["status"] == "degraded"

        answer = app.client.patch(f"{PLUGIN}/config", json={"api_key": "now-it-has-one"}).json()
        assert answer["state"] == "running"
        assert app.get(f"{PREFIX}/status").json()["initialized"] is True

        taken = app.client.patch(f"{PLUGIN}/config", json={"api_key": None}).json()
        assert taken["state"] == "blocked"


def test_the_plugins_folder_is_never_written_to(folder: Path) -> None:
    before = _files(folder / "plugins")
    with running(folder, NEXUS_PLUGINS__MY_AWESOME_PLUGIN__API_KEY="key-from-the-test") as app:
        assert app.client.post(f"{PLUGIN}/reload").status_code == 200
        app.act("ping")
    assert _files(folder / "plugins") == before


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
