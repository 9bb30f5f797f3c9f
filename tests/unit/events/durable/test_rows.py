from typing import Any

import pytest

from nexus.events.durable.rows import (
    OVERHEAD,
    event_of,
    positioned,
    row_of,
    size_of,
    storable,
)
from nexus.events.event import Event


@pytest.mark.parametrize(
    "data",
    [{}, {"a": [1, 2.5, None, True, {"b": "ü"}]}, {"lone": "\ud800"}, {"\udfff": "\x00"}],
)
def test_an_event_is_the_same_after_it_was_a_row(data: dict[str, Any]) -> None:
    event = Event("user.created", data, "accounts", "work", "cause")
    event.ordering_key = "user-1"
    event.version = 3
    again = event_of(row_of(event))
    assert again.dict() == event.dict()
    assert (again.ordering_key, again.version) == ("user-1", 3)
    assert again.cause == event.cause


def test_what_was_not_given_stays_so() -> None:
    event = Event("user.created", {})
    assert event_of(row_of(event)).cause == (None, None, None, None)


def test_every_part_of_a_row_can_be_written_as_utf_8_without_nul() -> None:
    event = Event("user.created", {"a": "\ud800\x00"}, "x", "\x00\udfff" * 200, "\ud800")
    event.ordering_key = "\x00\ud800"
    for part in row_of(event):
        if isinstance(part, str):
            assert b"\0" not in part.encode()
            assert part is row_of(event)[2] or len(part) <= 255


@pytest.mark.parametrize("key", ["", '"', '"x"', "\x00", "\udfff", "ü", "null", "\\x00"])
def test_any_ordering_key_is_given_back_exactly(key: str) -> None:
    event = Event("user.created", {})
    event.ordering_key = key
    assert event_of(row_of(event)).ordering_key == key


def test_the_size_is_in_bytes() -> None:
    assert size_of(row_of(Event("a", {"n": 1}))) == len('{"n":1}') + OVERHEAD
    assert size_of(row_of(Event("a", {"n": "€"}))) == len('{"n":"€"}') + 2 + OVERHEAD


def test_a_row_from_the_log_has_its_position() -> None:
    event = Event("a", {"n": 1})
    assert positioned((7, *row_of(event))).position == 7


def test_text_that_can_be_stored_stays_as_it_is() -> None:
    assert storable("ü\n\\x00") == "ü\n\\x00"
    assert storable("a\0b") == "a\\x00b"
    assert storable("a\ud800") == "a\\ud800"
