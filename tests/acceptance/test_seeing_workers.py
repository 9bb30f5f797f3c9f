"""What an operator sees of several workers, whichever of them answers."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from tests.acceptance.test_workers import LIMIT, TOKEN, Site, running, until

from nexus.cli.server_events import server_events

PLUGIN = """
import os
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Plugin(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/say")
        async def say():
            self.logger.info("said", extra={"pid": os.getpid()})
            await self.publish_event("foo.said", {"pid": os.getpid()})
            return {"pid": os.getpid()}

        @router.post("/break")
        async def fail():
            raise ValueError("It is broken.")

        return [router]
"""


def application(folder: Path) -> Path:
    plugin = folder / "plugins" / "foo"
    plugin.mkdir(parents=True)
    permissions = ["events.publish"]
    manifest = {"name": "foo", "version": "1.0.0", "permissions": permissions}
    (plugin / "manifest.json").write_text(json.dumps(manifest))
    (plugin / "plugin.py").write_text(PLUGIN)
    (folder / "nexus.yaml").write_text("builtin: [admin]\n")
    return folder


class Reader:
    """Reads a stream of server-sent events in a thread of its own."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.workers: list[str] = []
        self.ended = threading.Event()

    def read(self, answer: httpx.Response) -> None:
        with suppress(httpx.HTTPError):  # the test has failed, and closes it
            self._read(answer)

    def _read(self, answer: httpx.Response) -> None:
        for each in server_events(answer.iter_lines()):
            if each.kind == "message":
                self.messages.append(json.loads(each.data))
            elif each.kind == "workers":
                self.workers = json.loads(each.data)["workers"]
            elif each.kind == "end":
                break
        self.ended.set()


@contextmanager
def reading(site: Site, path: str) -> Iterator[Reader]:
    reader = Reader()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.stream("GET", site.url + path, headers=headers, timeout=LIMIT) as answer:
        thread = threading.Thread(target=reader.read, args=(answer,), daemon=True)
        thread.start()
        until(lambda: len(reader.workers) == site.workers, "listening to all workers")
        yield reader
        site.end()
        assert reader.ended.wait(LIMIT)
        thread.join(LIMIT)


def all_say(site: Site) -> set[int]:
    pids: set[int] = set()

    def said() -> bool:
        pids.add(site.ask("POST", "/plugins/foo/say").json()["pid"])
        return len(pids) >= site.workers

    until(said, "a word of every worker")
    return pids


def test_whoever_answers_shows_what_all_publish_log_and_do(tmp_path: Path) -> None:
    with running(application(tmp_path)) as site:
        with (
            reading(site, "/api/v1/events/stream?name=foo.*") as events,
            reading(site, "/api/v1/plugins/foo/logs/stream") as lines,
        ):
            site.ask("GET", "/api/v1/system/activity")
            pids = all_say(site)
            for _ in range(2 * site.workers):
                found = site.ask("GET", "/api/v1/events?name=foo.*").json()
                assert {each["data"]["pid"] for each in found["items"]} == pids
                assert all(
                    each["worker"].endswith(f":{each['data']['pid']}") for each in found["items"]
                )
                assert (len(found["workers"]), found["silent"]) == (3, [])
                event = site.ask("GET", f"/api/v1/events/{found['items'][0]['id']}").json()
                assert event == found["items"][0]
                found = site.ask("GET", "/api/v1/plugins/foo/logs").json()
                assert {each["pid"] for each in found["items"] if "pid" in each} == pids
                assert len(found["workers"]) == 3
            until(lambda: {each["data"]["pid"] for each in events.messages} == pids)
            until(lambda: {each["pid"] for each in lines.messages} == pids)
            assert len({each["worker"] for each in (*events.messages, *lines.messages)}) == 3

            def all_are_counted() -> bool:
                found = site.ask("GET", "/api/v1/system/activity").json()
                total = sum(each["events"] * each["seconds"] for each in found["items"])
                return len(found["workers"]) == 3 and round(total) >= len(events.messages)

            until(all_are_counted, "counting the events of all")
        assert site.process.returncode == 0


def test_an_open_circuit_of_one_worker_is_seen_from_all(tmp_path: Path) -> None:
    with running(application(tmp_path), NEXUS_SUPERVISION__BREAKER_FAILURES="1") as site:
        site.ask("POST", "/plugins/foo/break")
        for path in ("/api/v1/plugins", "/api/v1/plugins/foo"):
            for _ in range(3 * site.workers):
                answer = site.ask("GET", path).json()
                foo = next(each for each in answer.get("items", [answer]) if each["name"] == "foo")
                reasons = [foo["reason"], *(each["reason"] for each in foo["elsewhere"])]
                assert sum(bool(each) for each in reasons) == 1, foo
                assert len(answer["workers"]) == 3


def test_a_worker_that_is_killed_or_held_takes_nothing_from_the_others(tmp_path: Path) -> None:
    with running(application(tmp_path)) as site:
        held, *_ = all_say(site)
        os.kill(held, signal.SIGSTOP)
        try:

            def is_missing() -> bool:
                try:
                    answer = site.ask("GET", "/api/v1/events?name=foo.*", timeout=5.0)
                except httpx.ReadTimeout:  # it is the held one that has taken it
                    return False
                assert answer.status_code == 200
                found = answer.json()
                assert held not in {each["data"]["pid"] for each in found["items"]}
                return any(each.endswith(f":{held}") for each in found["silent"])

            until(is_missing, "telling that one is silent")
        finally:
            os.kill(held, signal.SIGCONT)
        until(lambda: len(site.ask("GET", "/api/v1/events").json()["workers"]) == 3, "its return")
        os.kill(held, signal.SIGKILL)

        def is_replaced() -> bool:
            answer = site.ask("GET", "/api/v1/events?name=foo.*")
            assert answer.status_code == 200
            found = answer.json()
            return len(found["workers"]) == 3 and not found["silent"]

        until(is_replaced, "another worker")
