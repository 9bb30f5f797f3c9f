"""One application folder full of broken plugins, served by a real process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

TOKEN = "a-token-for-the-acceptance-tests"

GOOD = """
from fastapi import APIRouter
from nexus.plugins import BasePlugin


class Good(BasePlugin):
    async def initialize(self):
        await self.subscribe_to_event("good.*", self.on_good)
        self.register_service(f"{self.name}.api", self)
        return True

    async def on_good(self, event):
        pass

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            return {"name": self.name}

        return [router]
"""

BAD = """
import asyncio
import sys

from fastapi import APIRouter
from nexus.plugins import BasePlugin


class Bad(BasePlugin):
    async def initialize(self):
        await self.subscribe_to_event("bad.*", self.on_bad)
        self.register_service(f"{self.name}.api", self)
        self.create_task(asyncio.Event().wait())
        return True

    async def on_bad(self, event):
        pass

"""

EXITING_TASK = """
    async def initialize(self):
        asyncio.create_task(self.leave())
        self.create_task(self.leave())
        return True

    async def leave(self):
        sys.exit(1)
"""


def body(text: str) -> str:
    return BAD + text


ROUTER = "    def get_api_routes(self):\n        router = APIRouter()\n"

# By name: what is in manifest.json (None for a good one), what is in plugin.py (None for no such
# file), the state that follows, and a part of the reason.
BROKEN: dict[str, tuple[bytes | None, str | None, str, str]] = {
    "not_json": (b"{'name': 'not_json'}", GOOD, "invalid", "JSON"),
    "not_utf8": (b'{"name": "\xff"}', GOOD, "invalid", "not UTF-8 at offset 10"),
    "huge": (b" " * 50_000_000, GOOD, "invalid", "50,000,000 bytes"),
    "deep": (b"[" * 10_000 + b"]" * 10_000, GOOD, "invalid", "nest"),
    "empty": (b"", GOOD, "invalid", "manifest"),
    "a_list": (b"[]", GOOD, "invalid", "object"),
    "wrong_fields": (
        b'{"name": "wrong_fields", "version": 1, "dependencies": 7, "permissions": "all"}',
        GOOD,
        "invalid",
        "$.version",
    ),
    "dots": (b'{"name": "../x", "version": "1.0.0"}', GOOD, "invalid", "$.name"),
    "nexus": (None, GOOD, "invalid", "reserves"),
    "con": (None, GOOD, "invalid", "reserves"),
    "no_plugin": (None, None, "invalid", "plugin.py"),
    "twin": (None, GOOD, "invalid", "one plugin of a name"),
    "raises": (None, "raise ValueError('no wire')", "failed", "ValueError"),
    "exits": (None, "import sys\nsys.exit(3)", "failed", "SystemExit"),
    "cancels": (
        None,
        "import asyncio\nraise asyncio.CancelledError",
        "failed",
        "CancelledError",
    ),
    "no_syntax": (None, "def f(:", "failed", "line 1"),
    "no_module": (None, "import there_is_no_such_thing", "failed", "there_is_no_such_thing"),
    "blocks": (None, "import time\ntime.sleep(600)", "failed", "the import of its code"),
    "hangs": (
        None,
        body("    async def initialize(self):\n        await asyncio.Event().wait()\n"),
        "failed",
        "initialize()",
    ),
    "says_no": (
        None,
        body("    async def initialize(self):\n        return False\n"),
        "failed",
        "returned False",
    ),
    "exits_late": (
        None,
        body("    async def initialize(self):\n        sys.exit(4)\n"),
        "failed",
        "SystemExit",
    ),
    "no_router": (
        None,
        body("    def get_api_routes(self):\n        return ['/a']\n"),
        "failed",
        "APIRouter",
    ),
    "escapes": (
        None,
        body(
            ROUTER
            + "        @router.get('/../../admin')\n        async def leave(): ...\n"
            + "        return [router]\n"
        ),
        "failed",
        "/../../admin",
    ),
    "two_classes": (None, GOOD + "\nclass Other(Good): pass\n", "failed", "Good and Other"),
    "needs_nobody": (
        b'{"name": "needs_nobody", "version": "1.0.0", "dependencies": ["nobody"]}',
        GOOD,
        "blocked",
        "'nobody', which is not there",
    ),
    "exiting_task": (None, body(EXITING_TASK), "running", ""),
}


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    root = tmp_path_factory.mktemp("bad")
    for name in ("good_one", "good_two"):
        write(root / "plugins" / name, None, GOOD)
    for name, (manifest, code, _, _) in BROKEN.items():
        write(root / "plugins" / name, manifest, code)
    write(root / "plugins" / "more" / "twin", None, GOOD)
    (root / "plugins" / "dangling").symlink_to(root / "nowhere")
    (root / "plugins" / "a_file").write_text("x")
    (root / "nexus.yaml").write_text(
        "startup: {timeout: 3.0}\nshutdown: {drain_timeout: 2.0, timeout: 1.0}\n"
    )
    log = (root / "stderr.txt").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "nexus", "run", "--port", "0"],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=log,
        env={**os.environ, "NEXUS_ADMIN_TOKEN": TOKEN},
    )
    try:
        url = address_of(root / "data" / "run.json", process)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, timeout=20) as client:
            until_ready(client)
            yield client
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (root / "stderr.txt").read_text()[-4000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


def write(folder: Path, manifest: bytes | None, code: str | None) -> None:
    folder.mkdir(parents=True)
    if manifest is None:
        permissions = ["events.subscribe", "events.publish"]
        stated = {"name": folder.name, "version": "1.0.0", "permissions": permissions}
        manifest = json.dumps(stated).encode()
    (folder / "manifest.json").write_bytes(manifest)
    if code is not None:
        (folder / "plugin.py").write_text(code)


def address_of(run_file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail("the application ended")
        if run_file.is_file():
            return str(json.loads(run_file.read_text())["url"])
        time.sleep(0.05)
    pytest.fail("the application does not listen")


def until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if client.get("/health/ready").status_code == 200:
            return
        time.sleep(0.05)
    pytest.fail("the application does not get ready")


@pytest.fixture(scope="module")
def plugins(application: httpx.Client) -> dict[str, Any]:
    items = application.get("/api/v1/plugins").json()["items"]
    return {each["name"]: each for each in items}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_in_the_right_state_with_a_reason_that_helps(
    plugins: dict[str, Any], name: str
) -> None:
    _, _, state, reason = BROKEN[name]
    assert plugins[name]["state"] == state, plugins[name]["reason"]
    assert reason in plugins[name]["reason"]
    assert "platform itself" not in plugins[name]["reason"]


def test_every_folder_is_listed_and_nothing_else(plugins: dict[str, Any]) -> None:
    assert plugins.keys() == {*BROKEN, "good_one", "good_two", "dangling"}
    assert plugins["dangling"]["state"] == "invalid"


def test_the_good_plugins_serve(application: httpx.Client, plugins: dict[str, Any]) -> None:
    for name in ("good_one", "good_two"):
        assert plugins[name]["state"] == "running"
        assert application.get(f"/plugins/{name}/").json() == {"name": name}


def test_nothing_of_a_broken_plugin_is_registered(application: httpx.Client) -> None:
    running = {"good_one", "good_two", "exiting_task"}
    services = application.get("/api/v1/services").json()["items"]
    assert {each["plugin"] for each in services} <= running
    subscriptions = application.get("/api/v1/events/subscriptions").json()["items"]
    assert {each["owner"] for each in subscriptions} <= running
    paths = application.get("/openapi.json").json()["paths"]
    served = {path.split("/")[2] for path in paths if path.startswith("/plugins/")}
    assert served == {"good_one", "good_two"}
    for name in BROKEN.keys() - running:
        answer = application.get(f"/plugins/{name}/")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        # What fails is tried again, and given up in the end.
        again = {"starting", "quarantined"} if BROKEN[name][2] == "failed" else set()
        assert answer.json()["state"] in {BROKEN[name][2], *again}


def test_the_application_is_ready_and_degraded(application: httpx.Client) -> None:
    assert application.get("/health/live").status_code == 200
    assert application.get("/health").json()["status"] == "degraded"


def test_operators_may_still_act(application: httpx.Client) -> None:
    for name in ("raises", "not_json"):
        answer = application.post(f"/api/v1/plugins/{name}/reload")
        assert (answer.status_code, answer.json()["state"]) == (200, BROKEN[name][2])
    assert application.post("/api/v1/plugins/good_two/reload").json()["generation"] == 2
