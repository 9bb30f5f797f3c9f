"""What a plugin declares is read as a whole, with all that is wrong about it."""

# ruff: noqa: E501 - one line a case

from typing import Any

import pytest

from nexus.data.collections import CollectionSpec, IndexSpec, read_collections
from nexus.data.collections.table import CollectionTable
from nexus.errors import InvalidCollectionSchema


def test_the_pages_own_schema() -> None:
    assert read_collections(
        {
            "plugin_actions": {
                "indexes": [
                    {"field": "id", "unique": True},
                    {"field": "action"},
                    {"field": "timestamp"},
                ]
            }
        }
    ) == {
        "plugin_actions": CollectionSpec(
            name="plugin_actions",
            indexes=(
                IndexSpec(fields=(("id",),), unique=True),
                IndexSpec(fields=(("action",),)),
                IndexSpec(fields=(("timestamp",),)),
            ),
        )
    }


def test_indexes_may_be_left_out_or_have_several_fields() -> None:
    specs = read_collections(
        {"notes": {}, "tags": {"indexes": []}, "a1": {"indexes": [{"fields": ["a", "b.c"]}]}}
    )

    assert specs["notes"].indexes == specs["tags"].indexes == ()
    assert specs["a1"].indexes[0].names == ("a", "b.c")
    assert specs["a1"].fields == (("a",), ("b", "c"))


@pytest.mark.parametrize(
    ("declared", "path", "nearest"),
    [
        ([], "$.collections", None),
        ({"Items": {}}, "$.collections.Items", "items"),
        ({"my items": {}}, '$.collections["my items"]', "my_items"),
        ({"a__b": {}}, "$.collections.a__b", "a_b"),
        ({"a_": {}}, "$.collections.a_", "a"),
        ({"1a": {}}, '$.collections["1a"]', None),
        ({"a" * 31: {}}, "$.collections." + "a" * 31, None),
        ({"x'; DROP TABLE a; --": {}}, '$.collections["x\'; DROP TABLE a; --"]', "x_drop_table_a"),
        ({"a": None}, "$.collections.a", None),
        ({"a": []}, "$.collections.a", None),
        ({"a": {"index": []}}, "$.collections.a.index", "indexes"),
        ({"a": {"indexes": {}}}, "$.collections.a.indexes", None),
        ({"a": {"indexes": [{"field": "x"}] * 33}}, "$.collections.a.indexes", None),
        ({"a": {"indexes": ["x"]}}, "$.collections.a.indexes[0]", None),
        ({"a": {"indexes": [{"feild": "x"}]}}, "$.collections.a.indexes[0].feild", "field"),
        ({"a": {"indexes": [{}]}}, "$.collections.a.indexes[0]", None),
        ({"a": {"indexes": [{"field": "x", "fields": ["y"]}]}}, "$.collections.a.indexes[0]", None),
        ({"a": {"indexes": [{"field": 5}]}}, "$.collections.a.indexes[0].field", None),
        ({"a": {"indexes": [{"field": "x\"'"}]}}, "$.collections.a.indexes[0].field", None),
        ({"a": {"indexes": [{"field": "_id"}]}}, "$.collections.a.indexes[0].field", None),
        ({"a": {"indexes": [{"field": "_version"}]}}, "$.collections.a.indexes[0].field", None),
        ({"a": {"indexes": [{"field": "x", "unique": "yes"}]}}, "$.collections.a.indexes[0].unique", None),
        ({"a": {"indexes": [{"fields": []}]}}, "$.collections.a.indexes[0].fields", None),
        ({"a": {"indexes": [{"fields": list("abcde")}]}}, "$.collections.a.indexes[0].fields", None),
        ({"a": {"indexes": [{"fields": ["x", "x"]}]}}, "$.collections.a.indexes[0].fields[1]", None),
        ({"a": {"indexes": [{"fields": ["x", "_id"]}]}}, "$.collections.a.indexes[0].fields[1]", None),
        ({"a": {"indexes": [{"field": "x"}, {"fields": ["x"], "unique": True}]}}, "$.collections.a.indexes[1]", None),
        ({"a": {"indexes": [{"fields": [f"a{n}", f"b{n}", f"c{n}"]} for n in range(22)]}}, "$.collections.a.indexes", None),
    ],
    ids=lambda each: ascii(each)[:40],
)  # fmt: skip
def test_what_is_wrong_is_named(declared: Any, path: str, nearest: str | None) -> None:
    with pytest.raises(InvalidCollectionSchema) as caught:
        read_collections(declared)

    [problem] = [each for each in caught.value.problems if each.path == path]
    assert problem.nearest == nearest


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidCollectionSchema) as caught:
        read_collections(
            {"A": {"x": 1}, "b": {"indexes": [{"field": ""}, {"field": "_id"}, 5]}, 7: {}}
        )

    assert len(caught.value.problems) >= 6
    assert all(line in caught.value.render() for line in ("$.collections.A.x", "indexes[2]"))


def test_names_in_the_database_fit_and_do_not_meet() -> None:
    longest = "p" * 63
    fields = [f"{'f' * 500}{number}" for number in range(32)]
    declared = {
        "indexes": [
            {"field": field, "unique": number % 2 == 0} for number, field in enumerate(fields)
        ]
    }
    tables = [
        CollectionTable(longest, spec)
        for spec in read_collections({"c" * 30: declared, "c" * 29: declared}).values()
    ]
    names = [
        name
        for table in tables
        for name in (
            table.name,
            table.primary_key,
            table.marker,
            *(index.name for index in table.indexes),
        )
    ]

    assert max(map(len, names)) <= 63
    assert len(set(names)) == len(names) == 70
    assert len(set(tables[0].columns.values())) == 32
    assert max(map(len, tables[0].columns.values())) <= 63


def test_the_names_of_an_index_say_all_about_it() -> None:
    def name(**index: Any) -> str:
        [spec] = read_collections({"items": {"indexes": [index]}}).values()
        return CollectionTable("shop", spec).indexes[0].name

    names = {
        name(field="a"),
        name(field="a", unique=True),
        name(field="a.b"),
        name(fields=["a", "b"]),
        name(fields=["b", "a"]),
    }
    assert len(names) == 5
    assert name(field="a") == name(fields=["a"])
