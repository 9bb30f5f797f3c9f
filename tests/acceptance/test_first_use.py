"""First uses and supervision with two workers, in real processes: all in one life of one server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

TOKEN = "a-token-for-the-acceptance-tests"
LIMIT = 60.0
BLOCKS = "time.sleep(1.5)"

CODE = f"""
import os
import time

from fastapi import APIRouter

from nexus.plugins import BasePlugin

if os.path.exists("crash"):
    os._exit(7)


def note(name, *words):
    with open(name, "a") as file:
        file.write(" ".join(map(str, (os.getpid(), *words))) + "\\n")


class Plugin(BasePlugin):
    async def initialize(self):
        note(self.name + ".starts")
        if self.name == "heard":
            await self.subscribe_to_event("order.*", self.on_order)
        return True

    async def on_order(self, event):
        note("orders", event.data["n"])

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def show():
            return {{"pid": os.getpid()}}

        @router.get("/block")
        async def block():
            {BLOCKS}
            return {{"pid": os.getpid()}}

        return [router]
"""
LINE = 1 + CODE.splitlines().index(f"            {BLOCKS}")

MANIFESTS: dict[str, dict[str, Any]] = {
    "lazy": {"activation": ["on_request"]},
    "heard": {
        "activation": ["on_event:order.*"],
        "events": {"subscribes": ["order.*"]},
        "permissions": ["events.subscribe"],
    },
    "eager": {},
}


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)
    return found


class Site:
    """A `nexus run` of two workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = httpx.Client(
            headers={"Authorization": f"Bearer {TOKEN}"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=LIMIT,
        )
        kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
        settings = {
            "NEXUS_ADMIN_TOKEN": TOKEN,
            "NEXUS_LOGGING__ACCESS": "false",
            "NEXUS_SUPERVISION__BLOCK_WARNING": "0.3",
            "NEXUS_EVENTS__LEASE": "2",
        }
        with (folder / "stderr.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nexus", "run", "--port", "0", "--workers", "2"],
                cwd=folder,
                env={**kept, **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    @property
    def log(self) -> list[dict[str, Any]]:
        found = []
        for line in (self.folder / "stderr.txt").read_text().splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return [each for each in found if isinstance(each, dict)]

    def notes(self, name: str) -> list[list[int]]:
        """Give the lines that plugins have written to a file: process ids and numbers."""
        file = self.folder / name
        lines = file.read_text().splitlines() if file.exists() else []
        return [[int(word) for word in line.split()] for line in lines]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request on a connection of its own, which any worker may take."""
        return self.client.request(method, self.url + path, **options)

    def listening(self) -> None:
        run_file = self.folder / "data" / "run.json"

        def there() -> bool:
            assert self.process.poll() is None, (self.folder / "stderr.txt").read_text()
            return run_file.is_file()

        until(there, "listening")
        self.url: str = json.loads(run_file.read_text())["url"]
        until(lambda: len(self.of_all("/api/v1/system")) == 2, "two workers that serve")

    def of_all(self, path: str) -> dict[int, dict[str, Any]]:
        """Ask often enough that each worker answers, and give the last answer of each."""
        found: dict[int, dict[str, Any]] = {}
        for _ in range(60):
            try:
                answer = self.ask("GET", path)
            except httpx.TransportError:  # of a worker that was killed
                continue
            if answer.status_code == 200:
                found[answer.json()["pid"]] = answer.json()
            if len(found) == 2:
                break
        return found

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            body = {"name": "order.placed", "data": {"n": number}}
            assert self.ask("POST", "/api/v1/events", json=body).is_success

    def handled(self, *numbers: int) -> bool:
        return set(numbers) <= {number for _, number in self.notes("orders")}

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(LIMIT)
        finally:
            if self.process.poll() is None:
                self.process.kill()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    for name, manifest in MANIFESTS.items():
        plugin = tmp_path / "plugins" / name
        plugin.mkdir(parents=True)
        document = {"name": name, "version": "1.0.0", **manifest}
        (plugin / "manifest.json").write_text(json.dumps(document))
        (plugin / "plugin.py").write_text(CODE)
    (tmp_path / "nexus.yaml").write_text("{}\n")
    site = Site(tmp_path)
    try:
        site.listening()
        yield site
    finally:
        site.client.close()
        if site.process.poll() is None:
            site.process.kill()
            site.process.wait(LIMIT)


def test_two_workers_start_plugins_at_first_uses_name_blocks_and_survive_crashes(
    site: Site,
) -> None:
    each_worker_starts_its_own_by_a_request(site)
    one_worker_is_started_by_events_and_another_after_its_death(site)
    a_route_that_blocks_the_loop_is_named(site)
    a_worker_that_crashes_three_times_at_its_start_comes_back_without_plugins(site)
    assert site.end() == 0


def each_worker_starts_its_own_by_a_request(site: Site) -> None:
    assert site.notes("lazy.starts") == site.notes("heard.starts") == []
    assert site.ask("GET", "/api/v1/plugins/lazy").json()["state"] == "dormant"
    pids = set(until(lambda: len(a := site.of_all("/plugins/lazy/")) == 2 and a, "both to answer"))
    assert sorted(pid for [pid] in site.notes("lazy.starts")) == sorted(pids)


def one_worker_is_started_by_events_and_another_after_its_death(site: Site) -> None:
    site.publish(*range(20))
    until(lambda: site.handled(*range(20)), "the events to be handled")
    assert Counter(number for _, number in site.notes("orders")) == Counter(range(20))
    [[first]] = site.notes("heard.starts")
    os.kill(first, signal.SIGKILL)
    for number in range(20, 30):

        def published(number: int = number) -> bool:
            with suppress(httpx.TransportError):
                site.publish(number)
                return True
            return False

        until(published, "a worker to take it")
    until(lambda: site.handled(*range(20, 30)), "the events to be handled by another worker")
    assert len(site.notes("heard.starts")) >= 2
    until(lambda: len(site.of_all("/api/v1/system")) == 2, "two workers again")


def a_route_that_blocks_the_loop_is_named(site: Site) -> None:
    assert site.ask("GET", "/plugins/eager/block").status_code == 200
    told = until(
        lambda: [each for each in site.log if each["event"] == "The event loop is blocked"],
        "the warning",
    )
    of_eager = [each for each in told if each["plugin"] == "eager"]
    assert of_eager[0]["level"] == "warning"
    assert of_eager[0]["file"] == str(site.folder / "plugins" / "eager" / "plugin.py")
    assert (of_eager[0]["line"], of_eager[0]["function"]) == (LINE, "block")

    def is_counted() -> bool:
        lines = site.ask("GET", "/metrics").text.splitlines()
        counts = [each for each in lines if each.startswith("nexus_event_loop_blocks_total{")]
        return any('plugin="eager"' in each and not each.endswith(" 0.0") for each in counts)

    until(is_counted, "the metric")


def a_worker_that_crashes_three_times_at_its_start_comes_back_without_plugins(site: Site) -> None:
    sound, bad = site.of_all("/api/v1/system")
    (site.folder / "crash").touch()
    os.kill(bad, signal.SIGKILL)
    reason = "This worker has ended 3 times before it was ready."

    def in_safe_mode() -> dict[int, Any]:
        return {
            pid: answer["safe_mode"]
            for pid, answer in site.of_all("/api/v1/system").items()
            if answer["safe_mode"]
        }

    modes = until(in_safe_mode, "the safe mode")
    assert list(modes.values()) == [reason]
    assert sound not in modes
    assert any(reason in json.dumps(each) for each in site.log)
    answers = {site.ask("GET", "/plugins/eager/").status_code for _ in range(10)}
    assert answers <= {200, 503}  # the sound one goes on, the other one says why
