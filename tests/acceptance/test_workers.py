"""Several workers, in real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

TOKEN = "a-token-for-the-acceptance-tests"
LIMIT = 30.0

PLUGIN = """
import os
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Plugin(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def show():
            return {"pid": os.getpid(), "says": "first", "word": await self.get_config("word")}

        return [router]
"""


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)
    return found


class Site:
    """A `nexus run` of several workers, or of one of several machines."""

    def __init__(self, folder: Path, workers: int, **variables: str) -> None:
        self.folder = folder
        self.workers = workers
        kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
        self._err = (folder / "stderr.txt").open("wb")
        self._out = (folder / "stdout.txt").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nexus", "run", "--port", "0", "--workers", str(workers)],
            cwd=folder,
            env={**kept, "NEXUS_ADMIN_TOKEN": TOKEN, "NEXUS_LOGGING__ACCESS": "false", **variables},
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )

    @property
    def log(self) -> str:
        return (self.folder / "stderr.txt").read_text()

    @property
    def said(self) -> str:
        return (self.folder / "stdout.txt").read_text()

    def listening(self) -> "Site":
        run_file = self.folder / "data" / "run.json"

        def there() -> bool:
            assert self.process.poll() is None, self.log
            return run_file.is_file()

        until(there, "listening")
        self.url = json.loads(run_file.read_text())["url"]
        return self

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request on a connection of its own, which any worker may take."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        options = {"timeout": LIMIT, **options}
        return httpx.request(method, self.url + path, headers=headers, **options)

    def pids(self) -> set[int]:
        """Give the workers that serve; which of them answers is the system's choice."""
        found: set[int] = set()
        for _ in range(100 * self.workers):
            found.add(self.ask("GET", "/api/v1/system").json()["pid"])
            if len(found) >= self.workers:
                break
        return found

    def of_all(self, path: str) -> dict[int, Any]:
        """Ask until every worker has answered, and give their last answers."""
        found: dict[int, Any] = {}

        def asked() -> bool:
            answer = self.ask("GET", path).json()
            found[answer["pid"]] = answer
            return len(found) >= self.workers

        until(asked, "an answer of every worker")
        for _ in range(3 * self.workers):
            asked()
        return found

    def settled(self) -> "Site":
        self.listening()
        # Each answers for itself alone.
        until(lambda: all(self._ready() for _ in range(4 * self.workers)), "ready")
        return self

    def _ready(self) -> bool:
        return self.ask("GET", "/health/ready").status_code == 200

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(LIMIT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        self._err.close()
        self._out.close()
        return code


def application(folder: Path) -> Path:
    plugin = folder / "plugins" / "foo"
    plugin.mkdir(parents=True)
    manifest = {
        "name": "foo",
        "version": "1.0.0",
        "configuration": {"word": {"type": "string", "default": "none"}},
    }
    (plugin / "manifest.json").write_text(json.dumps(manifest))
    (plugin / "plugin.py").write_text(PLUGIN)
    (folder / "nexus.yaml").write_text("{}\n")
    return folder


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[Site]:
    site = Site(folder, 3, **variables)
    try:
        yield site.settled()
    finally:
        site.end()


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_several_processes_serve_and_all_end_together(tmp_path: Path) -> None:
    with running(application(tmp_path)) as site:
        pids = set(site.of_all("/plugins/foo/"))
        assert len(pids) == 3
        assert site.process.pid not in pids
        text = site.ask("GET", "/metrics").text
        lines = [each for each in text.splitlines() if each.startswith("nexus_http_requests_total")]
        served = [float(each.split()[-1]) for each in lines if 'route="/plugins/foo/"' in each]
        assert len(served) == 3, "each worker has its own series"
        assert sum(served) >= 3 + 3 * site.workers
        assert text.count("nexus_worker_up{") == 3
        assert site.end() == 0
    assert not any(exists(pid) for pid in pids)
    assert not (tmp_path / "data" / "run.json").exists()


CACHE = """
import os
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Plugin(BasePlugin):
    async def initialize(self):
        self.dropped = []
        await self.subscribe_to_event("cache.stale", self.drop, scope="every_worker")
        return True

    async def drop(self, event):
        self.dropped.append(event.data["key"])

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def show():
            return {"pid": os.getpid(), "dropped": self.dropped}

        @router.post("/{key}")
        async def change(key: str):
            await self.publish_event("cache.stale", {"key": key})

        return [router]
"""


def test_every_worker_hears_of_what_one_has_published(tmp_path: Path) -> None:
    plugin = application(tmp_path) / "plugins" / "cache"
    plugin.mkdir()
    permissions = ["events.publish", "events.subscribe"]
    manifest = {"name": "cache", "version": "1.0.0", "permissions": permissions}
    (plugin / "manifest.json").write_text(json.dumps(manifest))
    (plugin / "plugin.py").write_text(CACHE)
    with running(tmp_path) as site:
        for key in "abc":
            assert site.ask("POST", f"/plugins/cache/{key}").status_code == 200

        def all_have_heard() -> bool:
            told = site.of_all("/plugins/cache/")
            return all(sorted(each["dropped"]) == ["a", "b", "c"] for each in told.values())

        until(all_have_heard, "hearing of it")


def test_the_first_token_is_shown_once_and_works_on_all(tmp_path: Path) -> None:
    with running(application(tmp_path), NEXUS_ADMIN_TOKEN="") as site:
        assert site.said.count("shown this once") == 1
        token = next(line.strip() for line in site.said.splitlines() if "nexus_" in line)
        headers = {"Authorization": f"Bearer {token}"}
        for _ in range(12):
            assert httpx.get(f"{site.url}/api/v1/system", headers=headers).status_code == 200
        run_token = json.loads((tmp_path / "data" / "run.json").read_text())["token"]
        headers = {"Authorization": f"Bearer {run_token}"}
        for _ in range(12):
            assert httpx.get(f"{site.url}/api/v1/system", headers=headers).status_code == 200


def test_a_worker_that_dies_is_told_in_the_log_and_started_again(tmp_path: Path) -> None:
    with running(application(tmp_path)) as site:
        before = set(site.of_all("/plugins/foo/"))
        dead = before.pop()
        os.kill(dead, signal.SIGKILL)
        until(lambda: "A worker has ended, and is started again" in site.log)
        assert "SIGKILL" in site.log
        until(lambda: len(site.pids() - {dead}) == 3, "another worker")
        assert before < site.pids()


def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    with running(application(tmp_path)) as site:
        pids = set(site.of_all("/plugins/foo/"))
        site.process.kill()
        until(lambda: not any(exists(pid) for pid in pids), "their end")


def test_a_worker_that_cannot_start_ends_all_with_the_reason(tmp_path: Path) -> None:
    folder = application(tmp_path)
    (folder / "plugins" / "foo" / "plugin.py").write_text("nonsense(")
    site = Site(folder, 3, NEXUS_STARTUP__ON_FAILURE="abort")
    assert site.process.wait(LIMIT) == 1
    assert site.end() == 1
    assert "Worker 1 could not start" in site.log
    assert "foo" in site.log


def test_several_workers_and_reload_exclude_each_other(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nexus", "run", "--port", "0", "--workers", "2", "--reload"],
        cwd=application(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 2
    assert "--reload goes with one worker" in " ".join(done.stderr.split())


@pytest.mark.parametrize("word", ["SIGINT", "SIGTERM"])
def test_what_is_in_hand_is_finished_at_a_stop(tmp_path: Path, word: str) -> None:
    folder = application(tmp_path)
    slow = PLUGIN.replace(
        "return {", "open(f'{os.getpid()}.began', 'w').close(); await asyncio.sleep(1); return {"
    ).replace("import os", "import asyncio, os")
    (folder / "plugins" / "foo" / "plugin.py").write_text(slow)
    with running(folder) as site:
        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(site.ask, "GET", "/plugins/foo/") for _ in range(6)]
            until(lambda: list(folder.glob("*.began")), "a request in hand")
            time.sleep(0.3)
            site.process.send_signal(getattr(signal, word))
            answers = [each.result().status_code for each in asked]
        assert answers == [200] * 6
        assert site.end() == 0


# One state for all


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: Any, new_database: Any) -> Iterator[dict[str, str]]:
    """Give the variables that name an empty database."""
    if request.param == "sqlite":
        yield {}
        return
    with asyncio.Runner() as runner:
        making = new_database(request.param)
        url = runner.run(making.__aenter__())
        try:
            yield {"NEXUS_DATABASE__URL": url}
        finally:
            runner.run(making.__aexit__(None, None, None))


def statuses(site: Site, path: str) -> set[int]:
    return {site.ask("GET", path).status_code for _ in range(8 * site.workers)}


def test_what_one_worker_answers_holds_for_all(tmp_path: Path, engine: dict[str, str]) -> None:
    folder = application(tmp_path)
    code = folder / "plugins" / "foo" / "plugin.py"
    with running(folder, **engine) as site:
        for turn in ("second", "third"):
            assert site.ask("POST", "/api/v1/plugins/foo/disable").status_code == 200
            assert statuses(site, "/plugins/foo/") == {503}
            assert site.ask("POST", "/api/v1/plugins/foo/enable").status_code == 200
            assert statuses(site, "/plugins/foo/") == {200}
            code.write_text(PLUGIN.replace("first", turn))
            assert site.ask("POST", "/api/v1/plugins/foo/reload").status_code == 200
            changed = site.ask("PATCH", "/api/v1/plugins/foo/config", json={"word": turn})
            assert changed.status_code == 200
            answers = site.of_all("/plugins/foo/").values()
            assert {(each["says"], each["word"]) for each in answers} == {(turn, turn)}
        workers = site.ask("GET", "/api/v1/system").json()["workers"]
        assert {each["pid"] for each in workers} == site.pids()


def test_a_worker_that_is_held_is_reported_and_comes_back_without_serving_old_code(
    tmp_path: Path, engine: dict[str, str]
) -> None:
    folder = application(tmp_path)
    code = folder / "plugins" / "foo" / "plugin.py"
    with running(folder, NEXUS_CLUSTER__LEASE="1", **engine) as site:
        held = min(site.of_all("/plugins/foo/"))
        os.kill(held, signal.SIGSTOP)
        try:

            def states() -> dict[int, str]:
                workers = site.ask("GET", "/api/v1/system").json()["workers"]
                return {each["pid"]: each["state"] for each in workers}

            until(lambda: states().get(held) == "away", "the report")
            code.write_text(PLUGIN.replace("first", "second"))
            assert site.ask("POST", "/api/v1/plugins/foo/reload").status_code == 200
        finally:
            os.kill(held, signal.SIGCONT)
        deadline = time.monotonic() + LIMIT
        seen = set()
        while held not in seen:
            answer = site.ask("GET", "/plugins/foo/").json()
            assert answer["says"] == "second", answer["pid"] == held
            seen.add(answer["pid"])
            assert time.monotonic() < deadline
        until(lambda: states().get(held) == "serving", "its return")


LEDGER = """
import asyncio, os
from pathlib import Path
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Plugin(BasePlugin):
    async def initialize(self):
        await self.subscribe_to_event("ledger.entry", self.keep)
        return True

    async def keep(self, event):
        with Path("begun.txt").open("a") as file:
            file.write(f"{event.data['number']} {os.getpid()}\\n")
        await asyncio.sleep(0.3)
        with Path("done.txt").open("a") as file:
            file.write(f"{event.data['number']} {os.getpid()}\\n")

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/")
        async def publish(number: int):
            await self.publish_event("ledger.entry", {"number": number})

        return [router]
"""


def test_the_events_of_a_worker_that_is_killed_are_delivered_by_others(
    tmp_path: Path, engine: dict[str, str]
) -> None:
    folder = application(tmp_path)
    ledger = folder / "plugins" / "ledger"
    ledger.mkdir()
    manifest = {
        "name": "ledger",
        "version": "1.0.0",
        "permissions": ["events.publish", "events.subscribe"],
        "events": {"publishes": ["ledger.entry"], "subscribes": ["ledger.entry"]},
    }
    (ledger / "manifest.json").write_text(json.dumps(manifest))
    (ledger / "plugin.py").write_text(LEDGER)

    def lines(name: str) -> list[list[str]]:
        path = folder / name
        return [each.split() for each in path.read_text().splitlines()] if path.exists() else []

    with running(folder, NEXUS_EVENTS__LEASE="1", **engine) as site:
        for number in range(10):
            answer = site.ask("POST", "/plugins/ledger/", params={"number": number})
            assert answer.status_code == 200, answer.text
        until(lambda: len(lines("begun.txt")) > 2, "the first events")
        killed = int(lines("begun.txt")[-1][1])
        os.kill(killed, signal.SIGKILL)
        until(lambda: {each[0] for each in lines("done.txt")} == set(map(str, range(10))), "all")
        after = {int(each[1]) for each in lines("done.txt")} - {killed}
        assert after, "nobody took over"
