"""Workers that are restarted one after another, behind what asks them whether they are ready."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.test_workers import LIMIT, Site, application, until

_NOTICE = "2"
_LOOK = 0.1


class Balancer:
    """Sends requests to whichever worker was ready a moment ago, as a proxy does."""

    def __init__(self, sites: list[Site]) -> None:
        self.sites = sites
        self.ready: list[str] = []
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self._ends = threading.Event()

    def until_all_answer(self) -> None:
        """Wait until each of them has answered once more."""
        pids = {site.process.pid for site in self.sites}
        before = Counter(self.answers)
        until(lambda: all(self.answers[pid] > before[pid] for pid in pids), "an answer of each")

    @contextmanager
    def working(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._look)]
        threads += [threading.Thread(target=self._send, args=(number,)) for number in range(3)]
        for each in threads:
            each.start()
        try:
            until(lambda: self.answers, "an answer")
            yield
        finally:
            self._ends.set()
            for each in threads:
                each.join()

    def _look(self) -> None:
        while not self._ends.is_set():
            self.ready = [site.url for site in self.sites if _is_ready(site)]
            time.sleep(_LOOK)

    def _send(self, number: int) -> None:
        while not self._ends.is_set():
            urls = self.ready
            number += 1
            if urls:
                self._ask(urls[number % len(urls)])
            time.sleep(0.02)

    def _ask(self, url: str) -> None:
        try:
            status, body = _fetch(f"{url}/plugins/foo/")
        except (OSError, HTTPException) as error:
            self.failures.append(repr(error))
            return
        if status == 200:
            self.answers[json.loads(body)["pid"]] += 1
        else:
            self.failures.append(f"{status}: {body!r}")


def _is_ready(site: Site) -> bool:
    try:
        return _fetch(f"{site.url}/health/ready")[0] == 200
    except (OSError, HTTPException):
        return False


def _fetch(url: str) -> tuple[int, bytes]:
    """Ask on a connection of its own, at less cost than a client that could do TLS."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_no_request_fails_while_one_worker_after_another_is_restarted(tmp_path: Path) -> None:
    variables = {
        "NEXUS_DATABASE__URL": f"sqlite:///{tmp_path / 'shared.db'}",
        "NEXUS_DATABASE__SHARED": "true",
        "NEXUS_SECRET_KEY": "a-key-that-all-of-them-have",
        "NEXUS_SHUTDOWN__NOTICE": _NOTICE,
    }
    folders = [application(tmp_path / name) for name in ("one", "two")]
    sites = [Site(folder, 1, **variables) for folder in folders]
    balancer = Balancer([site.settled() for site in sites])
    try:
        with balancer.working():
            for index, folder in enumerate(folders):
                balancer.sites[index].process.terminate()
                assert balancer.sites[index].process.wait(LIMIT) == 0
                balancer.sites[index] = Site(folder, 1, **variables).settled()
                balancer.until_all_answer()
        assert balancer.failures == []
        assert len(balancer.answers) == 4
    finally:
        for site in (*sites, *balancer.sites):
            site.end()
