import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from typing_extensions import override

from nexus.observability import log_rings
from nexus.observability.log_feed import LogFeed
from nexus.observability.log_rings import LogLine, LogRings


@pytest.fixture
def rings() -> Iterator[LogRings]:
    made = LogRings(
        3,
        mask=lambda text: text.replace("hunter2", "********"),
        bound=lambda: {"request_id": "r1"},
        plugin_of=lambda record: record.__dict__.get("plugin"),
    )
    with made.attached():
        yield made


def log(text: str, level: int = logging.WARNING, plugin: str | None = "shop", **more: Any) -> None:
    extra = {**more, **({} if plugin is None else {"plugin": plugin})}
    logging.getLogger("test.rings").log(level, text, extra=extra)


def events(rings: LogRings, plugin: str = "shop", **query: Any) -> list[str]:
    return [each.fields()["event"] for each in rings.recent(plugin, **query)]


def test_a_ring_has_the_last_lines_of_its_plugin(rings: LogRings) -> None:
    for number in range(5):
        log(f"line {number}")
    log("of another", plugin="stock")
    log("of nobody", plugin=None)
    assert events(rings) == ["line 2", "line 3", "line 4"]
    assert events(rings, limit=1) == ["line 4"]
    assert events(rings, limit=0) == []
    assert events(rings, "stock") == ["of another"]
    assert events(rings, "nobody") == []


def test_lines_below_a_level_are_left_out(rings: LogRings) -> None:
    log("loud", logging.ERROR)
    log("less loud", logging.WARNING)
    assert events(rings, level=logging.ERROR) == ["loud"]


def test_a_line_has_its_fields_with_secrets_masked(rings: LogRings) -> None:
    try:
        int("hunter2")
    except ValueError:
        logging.getLogger("test.rings").exception(
            "It is hunter2", extra={"plugin": "shop", "password": "hunter2"}
        )
    [line] = rings.recent("shop")
    found = line.fields()
    assert found["event"] == "It is ********"
    assert (found["password"], found["request_id"]) == ("********", "r1")
    assert found["exception"].endswith("invalid literal for int() with base 10: '********'")
    assert found["id"] == line.number
    assert "hunter2" not in line.text


def test_access_lines_are_not_kept(rings: LogRings) -> None:
    logging.getLogger("nexus.access").warning("request", extra={"plugin": "shop"})
    assert events(rings) == []


def test_a_line_that_cannot_be_shown_is_told_of(rings: LogRings, caplog: Any) -> None:
    class Odd:
        @override
        def __str__(self) -> str:
            raise RuntimeError

    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (Odd(),), None)
    record.plugin = "shop"
    rings.handle(record)
    assert events(rings) == ["<a line that cannot be shown: RuntimeError>"]


def test_a_very_long_line_is_shortened(rings: LogRings) -> None:
    log("x" * 100_000, payload="y" * 100_000)
    [line] = rings.recent("shop")
    found = line.fields()
    assert len(line.text) < 20_000
    assert found["shortened"]
    assert found["event"].endswith("x...")


def test_there_is_an_end_to_the_number_of_rings(
    rings: LogRings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_rings, "PLUGINS_LIMIT", 2)
    for name in ("one", "two", "three"):
        log("hello", plugin=name)
    assert [events(rings, name) for name in ("one", "two", "three")] == [[], ["hello"], ["hello"]]


async def test_a_feed_gets_lines_of_all_threads_and_says_what_it_dropped(rings: LogRings) -> None:
    feed = LogFeed(logging.WARNING, limit=2)
    with rings.followed("shop", feed.offer):
        log("quiet", logging.INFO)
        thread = threading.Thread(target=log_four)
        thread.start()
        await asyncio.to_thread(thread.join)
        log("of another", plugin="stock")
        await asyncio.sleep(0)
        found = [await feed.take() for _ in range(2)]
    log("after the end")
    assert [(each.dropped, _event(each.line)) for each in found] == [(2, "line 2"), (0, "line 3")]
    feed.end()
    assert (await feed.take()).line is None


def log_four() -> None:
    for number in range(4):
        log(f"line {number}")


def _event(line: LogLine | None) -> str:
    assert line is not None
    return str(json.loads(line.text)["event"])
