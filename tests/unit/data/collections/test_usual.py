"""Usual queries are what other queries are, only kept."""

from typing import Any

import pytest

from nexus.data.collections import Collection, Collections, read_collections
from nexus.data.engines.sqlite.inline import InlineDatabase

SCHEMA = {"items": {"indexes": [{"field": "a"}, {"fields": ["b.c", "a"]}]}}


@pytest.fixture
def items() -> Collection:
    return Collections(InlineDatabase(), "shop", read_collections(SCHEMA))["items"]


@pytest.mark.parametrize(
    "filter", [{"a": 1}, {"b.c": "x", "a": True}, {"a": 1.0, "b.c": ""}], ids=repr
)
@pytest.mark.parametrize(("limit", "offset"), [(None, 0), (5, 0), (5, 2), (None, 2), (0, 0)])
def test_they_ask_the_same(items: Collection, filter: Any, limit: Any, offset: int) -> None:  # noqa: A002
    kept = items._usual.find(filter, limit, offset)
    again = items._usual.find(dict(filter), limit, offset)

    written = items._dialect.finish(items._select(filter, None, limit, offset))
    assert kept is not None
    assert kept[0].replace("(", "").replace(")", "") == written[0].replace("(", "").replace(")", "")
    assert kept[1] == written[1]
    assert again is not None
    assert again[0] is kept[0]


@pytest.mark.parametrize(
    "filter",
    [
        *(
            None,
            {},
            [],
            "a",
            {"a": None},
            {"a": [1]},
            {"a": {"$gt": 1}},
            {"c": 1},
            {"a": 1, "c": 1},
        ),
        *({"a": "\0"}, {"a": "\ud800"}, {"a": float("nan")}, {"a": 2**63}, {1: 1}, {"$or": 1}),
    ],
    ids=ascii,
)
def test_all_others_are_not_theirs(items: Collection, filter: Any) -> None:  # noqa: A002
    assert items._usual.find(filter, None, 0) is None


def test_no_more_are_kept_than_so_many(monkeypatch: pytest.MonkeyPatch, items: Collection) -> None:
    monkeypatch.setattr("nexus.data.collections.usual._KEPT", 1)
    for wanted in ({"a": 1}, {"b.c": 1}):
        assert items._usual.find(wanted, None, 0) is not None

    assert len(items._usual._statements) == 1
