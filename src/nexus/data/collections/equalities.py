"""Reads filters that say what is equal to what, from which a document can be made."""

from typing import Any

from nexus.data.collections.filter import Comparison, Conjunction, Filter
from nexus.data.collections.filter_reader import read_filter
from nexus.data.collections.path import Path
from nexus.errors import InvalidFilter
from nexus.manifest.problems import render_path


def read_equalities(value: Any) -> dict[Path, Any]:
    """Give the values by path that a filter asks for.

    Args:
        value: A filter such as `{"sku": "a-1", "address.city": {"$eq": "Rome"}}`.

    Raises:
        InvalidFilter: It asks for something else as well, or for nothing.
    """
    equalities: dict[Path, Any] = {}
    _collect(read_filter(value), equalities)
    if not equalities:
        raise InvalidFilter(path="$", found="empty", expected="a value by path, at least one")
    return equalities


def _collect(part: Filter, equalities: dict[Path, Any]) -> None:
    if isinstance(part, Conjunction):
        for each in part.parts:
            _collect(each, equalities)
        return
    if not isinstance(part, Comparison) or part.operator != "=" or part.path == ("_version",):
        path = getattr(part, "path", None)
        raise InvalidFilter(
            path="$" if path is None else render_path((".".join(path),)),
            found="a condition that a new document cannot be made from",
            expected="values by path only",
        )
    if part.path in equalities:
        found = "given twice"
        raise InvalidFilter(path=render_path((".".join(part.path),)), found=found, expected="once")
    equalities[part.path] = part.value
