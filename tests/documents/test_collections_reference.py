"""The reference of collections has every method, operator, limit and error that the code has."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from nexus.config.sections import DatabaseSettings
from nexus.data.collections import filter_reader, identifier, key, order, path, schema
from nexus.data.collections.filter_reader import read_filter
from nexus.data.collections.schema import read_collections
from nexus.data.json_text import MAX_DEPTH
from nexus.errors import InvalidCollectionSchema, InvalidFilter, NexusError, collections
from nexus.plugins.plugin_collection import PluginCollection
from nexus.web.errors import STATUS_OF_CODE

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/collections.md").read_text(
    encoding="utf-8"
)
METHODS = {
    name: value
    for name, value in vars(PluginCollection).items()
    if inspect.isfunction(value) and not name.startswith("_")
}


def section(heading: str) -> str:
    level = heading.index(" ")
    _, _, rest = PAGE.partition(f"\n{heading}\n")
    assert rest, heading
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(heading: str) -> list[list[str]]:
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def operators_after(condition: Any) -> set[str]:
    """Give what the code says it expects where it finds an unknown operator."""
    with pytest.raises(InvalidFilter) as caught:
        read_filter(condition)
    return set(re.findall(r"\$\w+", caught.value.data["expected"]))


def test_every_method_has_its_section() -> None:
    assert sorted(re.findall(r"^### (\w+)$", section("## Methods"), re.MULTILINE)) == sorted(
        METHODS
    )


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_shown_with_the_parameters_that_it_has(name: str) -> None:
    shown = re.search(r"`((?:async )?def .+)`", section(f"### {name}"))
    assert shown
    assert shown[1].startswith("async ") is inspect.iscoroutinefunction(METHODS[name])
    namespace: dict[str, Any] = {}
    exec(f"{shown[1]}: ...", namespace)  # noqa: S102 - the project's own document
    documented = inspect.signature(namespace[name]).parameters.values()
    actual = inspect.signature(METHODS[name]).parameters.values()
    assert [(each.name, each.kind, each.default) for each in documented] == [
        (each.name, each.kind, each.default) for each in actual
    ]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_shown_with_the_permission_that_it_needs(name: str) -> None:
    needs = "write" if "_writing" in METHODS[name].__code__.co_names else "read"
    assert re.findall(r"`database\.(\w+)`", section(f"### {name}")) == [needs]


def test_every_operator_is_in_the_table() -> None:
    listed = [row[0].strip("`") for row in table("## Filters")]
    known = operators_after({"price": {"$unknown": 1}}) | operators_after({"$unknown": 1})
    assert sorted(listed) == sorted(known)


def test_every_key_of_a_declaration_is_in_the_table() -> None:
    listed = [row[0].strip("`") for row in table("## Declaration")]
    with pytest.raises(InvalidCollectionSchema) as caught:
        read_collections({"a": {"unknown": 1}, "b": {"indexes": [{"field": "x", "unknown": 1}]}})
    expected = [problem.expected for problem in caught.value.data["problems"]]
    known = {word for text in expected for word in re.findall(r"\w+", text.removeprefix("one of"))}
    assert set(listed) == {"collections", *known}


def test_the_limits_are_those_of_the_code() -> None:
    limits = {row[0]: int(re.match(r"\d+", row[1])[0]) for row in table("## Limits")}  # type: ignore[index]  # it matches
    assert limits == {
        "A document, in bytes of JSON": DatabaseSettings().document_limit,
        "Levels of nesting in a document": MAX_DEPTH,
        "Characters of an `_id`": identifier.MAX_ID,
        "Keys in a path": path.MAX_SEGMENTS,
        "Characters of a path": path.MAX_LENGTH,
        "Conditions in a filter": filter_reader.MAX_TERMS,
        "Filters in filters, levels": filter_reader.MAX_DEPTH,
        "Values in one list of a filter": filter_reader.MAX_VALUES,
        "Values in all lists of a filter": filter_reader.MAX_VALUES_IN_ALL,
        "Paths in `sort`": order.MAX_KEYS,
        "Paths in `fields`": order.MAX_FIELDS,
        "Indexes of a collection": schema.MAX_INDEXES,
        "Fields of one index": schema.MAX_FIELDS,
        "Fields in all indexes of a collection": schema.MAX_FIELDS_IN_ALL,
        "Bytes of UTF-8 of a string in an index": key.MAX_KEY - 1,
        "Bytes of all values in an index together": key.MAX_INDEX_KEY,
    }


def test_every_error_is_in_the_table_with_its_status() -> None:
    kinds = [
        value
        for value in vars(collections).values()
        if isinstance(value, type) and issubclass(value, NexusError)
        if value.__module__ == collections.__name__
    ]
    listed = {row[0].strip("`"): row[1] for row in table("## Errors")}
    assert sorted(listed) == sorted(kind.__name__ for kind in kinds)
    for kind in kinds:
        status = listed[kind.__name__]
        # Those of a start never come to a client.
        assert status in {"", str(STATUS_OF_CODE.get(kind.code, 500))}, kind.__name__
        assert status or kind.code not in STATUS_OF_CODE
