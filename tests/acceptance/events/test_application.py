"""Events of a real application: through kills, reloads, and a subscriber that is down."""

import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

PLUGINS: Final = Path(__file__).parent.parent / "plugins"

pytestmark = pytest.mark.timeout(300)


class Shop:
    """An application with a plugin that sells and one that writes down what was sold."""

    def __init__(self, folder: Path, url: str) -> None:
        for name in ("till", "ledger"):
            shutil.copytree(PLUGINS / name, folder / "plugins" / name)
        (folder / "nexus.yaml").write_text("name: Shop\n")
        self.folder = folder
        self.notes = folder / "sales.txt"
        self.broken = folder / "sales.broken"
        self.settings = {
            "NEXUS_DATABASE__URL": url,
            "NEXUS_EVENTS__LEASE": "0.5",
            "NEXUS_PLUGINS__LEDGER__NOTES": str(self.notes),
        }
        self.acknowledged: list[int] = []
        self.ordered: list[int] = []
        self._next = 1

    def sell(self, client: httpx.Client) -> None:
        """Sell a few things, one after another or in one transaction."""
        numbers = [self._next + each for each in range(5)]
        self._next += len(numbers)
        is_order = self._next % 2 == 0
        if is_order:
            self.ordered += numbers
        answer = client.post(f"/plugins/till/{'orders' if is_order else 'sales'}", json=numbers)
        assert answer.status_code == 201, answer.text
        self.acknowledged += numbers

    @contextmanager
    def selling(self, client: httpx.Client) -> Iterator[None]:
        """Sell without a pause inside the block, until the application is gone at the latest."""
        is_over, failures = threading.Event(), list[Exception]()

        def keep_selling() -> None:
            try:
                while not is_over.is_set():
                    self.sell(client)
            except httpx.TransportError:
                return
            except Exception as error:  # noqa: BLE001 - raised where somebody hears it
                failures.append(error)

        thread = threading.Thread(target=keep_selling)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
        for failure in failures:
            raise failure

    def written(self) -> list[tuple[int, str]]:
        """Give number and id of each sale that was handled, in order."""
        if not self.notes.exists():
            return []
        words = map(str.split, self.notes.read_text().splitlines())
        return [(int(number), id_) for number, id_ in words]

    def wait_for_all(self, seconds: float = 60) -> None:
        """Wait until all that was acknowledged has been handled."""
        wanted, deadline = set(self.acknowledged), time.monotonic() + seconds
        while not wanted <= {number for number, _ in self.written()}:
            missing = sorted(wanted - {number for number, _ in self.written()})
            assert time.monotonic() < deadline, f"never handled: {len(missing)}: {missing[:10]}"
            time.sleep(0.05)

    def check(self) -> None:
        """Fail where an event was lost, changed, or handled before one that was published first."""
        first: dict[int, str] = {}
        for number, id_ in self.written():
            assert first.setdefault(number, id_) == id_
        assert set(self.acknowledged) <= first.keys()
        assert list(first) == sorted(first)


both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


@both
def test_an_application_that_is_killed_loses_no_event(
    tmp_path: Path, url: str, run_application: Any, seed: int
) -> None:
    shop, chance = Shop(tmp_path, url), random.Random(seed)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201 - pytest shows it where the test fails
    for _ in range(5):
        with (
            run_application(tmp_path, ends_with=-signal.SIGKILL, **shop.settings) as application,
            shop.selling(application.client),
        ):
            time.sleep(0.1 + chance.random())
            application.process.kill()

    with run_application(tmp_path, **shop.settings) as application:
        shop.sell(application.client)
        shop.wait_for_all()
        numbers = ",".join(map(str, shop.ordered))
        answer = application.client.get("/plugins/till/orders", params={"numbers": numbers})

    shop.check()
    # What a transaction has written and what it has published are there together or not at all.
    handled = {number for number, _ in shop.written()}
    assert set(answer.json()) == handled & set(shop.ordered)
    assert len(shop.acknowledged) > 100


@both
def test_no_event_is_lost_while_its_subscriber_is_reloaded_and_disabled_under_load(
    tmp_path: Path, url: str, run_application: Any
) -> None:
    shop = Shop(tmp_path, url)
    with run_application(tmp_path, **shop.settings) as application:
        client = application.client
        with shop.selling(client):
            for action in ("reload", "disable", "enable", "reload", "reload", "disable", "enable"):
                time.sleep(0.2)
                answer = client.post(f"/api/v1/plugins/ledger/{action}")
                assert answer.status_code == 200, answer.text
        shop.wait_for_all()

    shop.check()
    assert len(shop.acknowledged) > 100


@both
def test_events_wait_for_a_subscriber_that_does_not_start(
    tmp_path: Path, url: str, run_application: Any
) -> None:
    shop = Shop(tmp_path, url)
    shop.broken.touch()
    for _ in range(2):
        with run_application(tmp_path, **shop.settings) as application:
            found = application.client.get("/api/v1/plugins/ledger").json()
            assert found["state"] in {"failed", "quarantined"}, found
            for _ in range(20):
                shop.sell(application.client)
    assert shop.written() == []

    with run_application(tmp_path, **shop.settings) as application:
        shop.broken.unlink()
        answer = application.client.post("/api/v1/plugins/ledger/reload")
        assert answer.status_code == 200, answer.text
        shop.sell(application.client)
        shop.wait_for_all()

    shop.check()
    assert len(shop.acknowledged) == 205
