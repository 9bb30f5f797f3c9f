"""What `nexus jobs` prints, with a double in the place of the application."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


def job(**more: Any) -> dict[str, Any]:
    return {
        "plugin": "shop",
        "name": "tidy",
        "schedule": "every 5m",
        "live": True,
        "running": False,
        "next_run": (datetime.now(UTC) + timedelta(minutes=3, seconds=30)).isoformat(),
        "last_start": None,
        "last_outcome": None,
        "error": "",
        "worker": None,
        "runs": 0,
        "interruptions": 0,
        **more,
    }


class Application:
    """Answers in the place of the management API."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self.before = job()
        self.looks: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        return {"items": self.listed} if path == "/jobs" else self.looks.pop(0)

    def post(self, path: str) -> Any:
        self.asked.append(path)
        return self.before


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Application:
    double = Application()

    @contextmanager
    def connected(_where: Any) -> Iterator[Any]:
        yield double

    monkeypatch.setattr("nexus.cli.connection.connected", connected)
    monkeypatch.setattr("nexus.cli.jobs._GLANCE", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    return double


def test_jobs_are_listed_with_what_is_the_matter(nexus, running) -> None:
    running.listed = [
        job(),
        job(
            name="bad",
            last_outcome="failed",
            error="ValueError: no",
            last_start="2026-01-01T00:00Z",
        ),
        job(name="busy", running=True, worker="host:1:abc", last_outcome="succeeded"),
        job(plugin="idle", live=False, next_run="2026-01-01T00:00:00+00:00"),
    ]
    said = nexus("jobs", "list")
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[1] == ["shop:tidy", "every", "5m", "-", "-", "in", "3", "min"]
    assert "failed" in said.out
    assert "ValueError: no" in said.out
    assert "in host:1:abc" in said.out
    assert "its plugin does not run here" in said.out
    assert "now" in rows[4]


def test_jobs_of_one_plugin_are_listed_as_json(nexus, running) -> None:
    running.listed = [job(), job(plugin="other")]
    said = nexus("jobs", "list", "--plugin", "shop", "--json")
    assert [each["plugin"] for each in json.loads(said.out)["items"]] == ["shop"]


def test_no_jobs_are_told(nexus, running) -> None:
    assert nexus("jobs", "list").out == "There are no scheduled jobs.\n"


def test_a_run_is_waited_for_and_its_outcome_told(nexus, running) -> None:
    running.before = job(runs=4, last_outcome="failed")
    running.looks = [
        job(runs=4, last_outcome="failed"),
        job(runs=4, running=True, last_outcome="failed"),
        job(runs=5, last_outcome="succeeded"),
    ]
    said = nexus("jobs", "run", "shop:tidy")
    assert (said.code, said.out) == (0, "shop:tidy succeeded.\n")
    assert running.asked == ["/jobs/shop/tidy/run"]


def test_a_run_that_fails_is_a_failed_command_with_the_reason(nexus, running) -> None:
    running.looks = [job(runs=1, last_outcome="failed", error="ValueError: no")]
    said = nexus("jobs", "run", "shop:tidy")
    assert (said.code, said.out) == (1, "shop:tidy failed.\n  ValueError: no\n")


def test_a_run_need_not_be_waited_for(nexus, running) -> None:
    said = nexus("jobs", "run", "shop:tidy", "--no-wait")
    assert (said.code, said.out) == (0, "shop:tidy is to run now.\n")


def test_a_job_without_its_plugin_is_wrong_usage(nexus, running) -> None:
    said = nexus("jobs", "run", "tidy")
    assert said.code == 2
    assert running.asked == []
