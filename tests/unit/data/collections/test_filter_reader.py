"""Filters are read, or the error says what is wrong where."""

from typing import Any

import pytest

from nexus.data.collections.filter import (
    EVERYTHING,
    Comparison,
    Conjunction,
    Containment,
    Disjunction,
    Existence,
    Membership,
    Negation,
)
from nexus.data.collections.filter_reader import read_filter
from nexus.errors import InvalidFilter

A = ("a",)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, EVERYTHING),
        ({}, EVERYTHING),
        ({"a": 1}, Comparison(A, "=", 1)),
        ({"a": None}, Comparison(A, "=", None)),
        ({"a.b.0": "x"}, Comparison(("a", "b", "0"), "=", "x")),
        ({"a": {"$eq": 1}}, Comparison(A, "=", 1)),
        ({"a": {"$ne": 1}}, Negation(Comparison(A, "=", 1))),
        ({"a": {"$gt": 1}}, Comparison(A, ">", 1)),
        ({"a": {"$gte": 1}}, Comparison(A, ">=", 1)),
        ({"a": {"$lt": 1}}, Comparison(A, "<", 1)),
        ({"a": {"$lte": 1}}, Comparison(A, "<=", 1)),
        ({"a": {"$in": [1, None]}}, Membership(A, (1, None))),
        ({"a": {"$nin": []}}, Negation(Membership(A, ()))),
        ({"a": {"$exists": True}}, Existence(A)),
        ({"a": {"$exists": False}}, Negation(Existence(A))),
        ({"a": {"$contains": "x"}}, Containment(A, "x")),
        ({"a": {"$not": {"$gt": 1}}}, Negation(Comparison(A, ">", 1))),
        (
            {"a": {"$gte": 1, "$lt": 5}},
            Conjunction((Comparison(A, ">=", 1), Comparison(A, "<", 5))),
        ),
        ({"$not": {"a": 1}}, Negation(Comparison(A, "=", 1))),
        ({"$or": [{"a": 1}, {}]}, Disjunction((Comparison(A, "=", 1), EVERYTHING))),
        (
            {"$and": [{"a": 1}], "_id": "x"},
            Conjunction((Conjunction((Comparison(A, "=", 1),)), Comparison(("_id",), "=", "x"))),
        ),
    ],
    ids=repr,
)
def test_what_a_filter_asks_for(given: Any, read: Any) -> None:
    assert read_filter(given) == read


@pytest.mark.parametrize(
    ("given", "path", "nearest"),
    [
        ([], "$", None),
        ("a = 1", "$", None),
        ({5: 1}, "$", None),
        ({"": 1}, '$[""]', None),
        ({"a..b": 1}, '$["a..b"]', None),
        ({"a\0": 1}, '$["a\\u0000"]', None),
        ({'a"b': 1}, '$["a\\"b"]', None),
        ({"-a": 1}, '$["-a"]', None),
        ({"a.$b": 1}, '$["a.$b"]', None),
        ({".".join("a" * 21): 1}, "$", None),
        ({"_id.x": 1}, '$["_id.x"]', None),
        ({"$nor": []}, '$["$nor"]', "$or"),
        ({"$gt": 1}, '$["$gt"]', None),
        ({"a": {"$gtr": 1}}, '$.a["$gtr"]', "$gt"),
        ({"a": {"$regex": "x"}}, '$.a["$regex"]', None),
        ({"a": {"$Exists": True}}, '$.a["$Exists"]', "$exists"),
        ({"a": {"b": 1}}, "$.a", None),
        ({"a": {}}, "$.a", None),
        ({"a": {"$gt": 1, "b": 1}}, "$.a", None),
        ({"a": [1]}, "$.a", None),
        ({"a": {"$eq": {"b": 1}}}, '$.a["$eq"]', None),
        ({"a": {"$gt": None}}, '$.a["$gt"]', None),
        ({"a": {"$gt": [1]}}, '$.a["$gt"]', None),
        ({"a": {"$in": 1}}, '$.a["$in"]', None),
        ({"a": {"$in": (1, 2)}}, '$.a["$in"]', None),
        ({"a": {"$in": [1, [2]]}}, '$.a["$in"][1]', None),
        ({"a": {"$exists": 1}}, '$.a["$exists"]', None),
        ({"a": {"$not": 1}}, '$.a["$not"]', None),
        ({"a": float("nan")}, "$.a", None),
        ({"a": 2**63}, "$.a", None),
        ({"a": b"x"}, "$.a", None),
        ({"a": "\ud800"}, "$.a", None),
        ({"$and": {"a": 1}}, '$["$and"]', None),
        ({"$or": []}, '$["$or"]', None),
        ({"$or": [{"a": 1}, {"a": {"$x": 1}}]}, '$["$or"][1].a["$x"]', None),
        ({"$not": [{"a": 1}]}, '$["$not"]', None),
    ],
    ids=lambda each: ascii(each)[:40],
)
def test_what_is_wrong_is_named(given: Any, path: str, nearest: str | None) -> None:
    with pytest.raises(InvalidFilter) as caught:
        read_filter(given)

    assert caught.value.path.startswith(path)
    assert caught.value.nearest == nearest
    assert len(caught.value.render()) < 500


def test_there_is_a_limit_to_everything() -> None:
    def nested(levels: int) -> Any:
        value: Any = {"a": 1}
        for _ in range(levels):
            value = {"$not": value}
        return value

    read_filter(nested(19))
    read_filter({"$or": [{"a": 1}] * 500})
    read_filter({"a": {"$in": list(range(1000))}})
    for many in (
        nested(20),
        {"a": {"$not": {"$not": {"$eq": 1}}}, "$not": nested(19)},
        {"$or": [{"a": 1}] * 501},
        {"a": {"$in": list(range(1001))}},
        {f"a{n}": {"$in": list(range(1000))} for n in range(6)},
        {f"a{n}": n for n in range(1001)},
        {"x" * 513: 1},
    ):
        with pytest.raises(InvalidFilter):
            read_filter(many)
