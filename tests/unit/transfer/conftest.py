"""A small data file."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from nexus.transfer.lines import line_of
from nexus.transfer.parts import Counts, Header

HEADER = Header(
    plugin="tasks",
    plugin_version="1.0.0",
    nexus_version="0.1.0",
    engine="sqlite",
    exported_at="2026-11-25T04:21:40+00:00",
    revisions=("a1",),
)
LINES = [
    {"setting": "size", "value": 5},
    {"setting": "key", "secret": True},
    {"seeded": "", "value": ["k"]},
    {"data": "k", "value": None},
    {"collection": "items"},
    {"id": "1", "version": 2, "document": {"a": 1}},
    {"collection": "empty"},
    {"table": "every", "columns": [{"name": "id", "type": "INTEGER"}, {"name": "t"}]},
    {"row": [1, "x"]},
    {"row": [2, None]},
]
COUNTS = Counts(
    settings=2,
    secrets=["key"],
    seeded=1,
    data=1,
    collections={"items": 1, "empty": 0},
    tables={"every": 2},
)


def sum_up(lines: Sequence[Any], counts: Any = None) -> bytes:
    """Sum up lines, whatever they say."""
    before = b"".join(line_of(each) for each in lines)
    counts = COUNTS.record() if counts is None else counts
    return before + line_of({"end": counts, "sha256": hashlib.sha256(before).hexdigest()})


@pytest.fixture
def header() -> Header:
    """Its first line."""
    return HEADER


@pytest.fixture
def lines() -> list[Any]:
    """What comes between its first and its last line."""
    return LINES


@pytest.fixture
def counts() -> Counts:
    """Its last line."""
    return COUNTS


@pytest.fixture
def file_of() -> Callable[..., bytes]:
    """Make a file of lines, whatever they say."""
    return sum_up


@pytest.fixture
def whole() -> bytes:
    """The file."""
    return sum_up([HEADER.record(), *LINES])
