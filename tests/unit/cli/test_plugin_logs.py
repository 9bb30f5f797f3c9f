"""What `nexus plugin logs` and `log-level` print, of an application that a double answers for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from nexus.cli.server_events import ServerEvent


def line(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "event": f"line {number}",
        "level": "info",
        "logger": "nexus.plugin.shop",
        "plugin": "shop",
        "generation": 1,
        "timestamp": datetime.now(UTC).isoformat(),
        **more,
    }


class Application:
    """Answers in the place of the management API, and keeps what it was asked."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.level: str | None = None
        self.stream: list[ServerEvent] = []
        self.asked: list[Any] = []

    def get(self, path: str, **query: Any) -> Any:
        self.asked.append((path, query))
        return {"level": self.level, "items": self.items}

    def put(self, path: str, document: Any) -> Any:
        self.asked.append((path, document))
        return document

    def listen(self, path: str, **query: Any) -> Iterator[ServerEvent]:
        self.asked.append((path, query))
        yield from self.stream


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Application:
    double = Application()

    @contextmanager
    def connected(_where: Any) -> Iterator[Any]:
        yield double

    monkeypatch.setattr("nexus.cli.connection.connected", connected)
    return double


def test_the_last_lines_are_shown_with_their_fields_and_traceback(nexus, running) -> None:
    running.items = [line(1, request_id="r1"), line(2, level="error", exception="ValueError: no")]
    said = nexus("plugin", "logs", "shop", "-n", "2", "--level", "info")
    assert running.asked == [("/plugins/shop/logs", {"level": "INFO", "limit": 2})]
    first, second, third = said.out.splitlines()
    assert 'info      line 1  {"generation": 1, "request_id": "r1"}' in first
    assert "error     line 2" in second
    assert third == "ValueError: no"


def test_a_silent_plugin_is_told_of(nexus, running) -> None:
    assert nexus("plugin", "logs", "shop").out == "shop has logged nothing yet.\n"


def test_following_goes_on_until_the_application_stops(nexus, running) -> None:
    running.stream = [
        ServerEvent(kind="remark", data="watching"),
        ServerEvent(kind="message", data=json.dumps(line(1))),
        ServerEvent(kind="dropped", data='{"dropped": 3}'),
        ServerEvent(kind="message", data=json.dumps(line(5))),
        ServerEvent(kind="end", data="{}"),
    ]
    said = nexus("plugin", "logs", "shop", "--follow")
    assert running.asked == [("/plugins/shop/logs/stream", {"level": "DEBUG", "last": 50})]
    assert ["line 1" in said.out, "line 5" in said.out] == [True, True]
    assert "3 lines came too fast" in said.err
    assert "The application stops." in said.err
    printed = nexus("plugin", "logs", "shop", "-f", "--json").out.splitlines()
    assert [json.loads(each)["id"] for each in printed] == [1, 5]


@pytest.mark.parametrize(
    ("words", "document", "said"),
    [
        (["debug"], {"level": "DEBUG"}, "shop logs from DEBUG on.\n"),
        (["--reset"], {"level": None}, "shop logs as the application does.\n"),
    ],
)
def test_a_level_is_set_or_reset(nexus, running, words: Any, document: Any, said: str) -> None:
    assert nexus("plugin", "log-level", "shop", *words).out == said
    assert running.asked == [("/plugins/shop/log-level", document)]


def test_without_a_level_it_is_shown(nexus, running) -> None:
    running.level = "ERROR"
    assert nexus("plugin", "log-level", "shop", "--json").json == {"name": "shop", "level": "ERROR"}
    assert running.asked == [("/plugins/shop/logs", {"limit": 0})]


def test_a_level_and_its_reset_are_refused_together(nexus, running) -> None:
    assert nexus("plugin", "log-level", "shop", "info", "--reset").code == 2
    assert running.asked == []
