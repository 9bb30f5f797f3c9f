"""The source files of a plugin, as trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SKIPPED: Final = frozenset({"tests", "__pycache__", "migrations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a plugin's code says.

    Attributes:
        trees: Files with their trees, by their path in the plugin's folder.
        complete: Whether every file could be parsed, so that what is not there is not used.
    """

    trees: tuple[tuple[str, ast.Module], ...]
    complete: bool


def read_source(folder: Path) -> Source:
    """Parse a plugin's code, its tests and migrations apart."""
    trees, complete = [], True
    for path in _files(folder):
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (SyntaxError, ValueError):  # the import tells it better
            complete = False
        else:
            trees.append((path.relative_to(folder).as_posix(), tree))
    return Source(trees=tuple(trees), complete=complete)


def method_of_a_plugin(call: ast.Call) -> str | None:
    """Give the method that is called on `self`, on `plugin` or on `....plugin`."""
    if not isinstance(call.func, ast.Attribute):
        return None
    return call.func.attr if _is_a_plugin(call.func.value) else None


def method_of_its_database(call: ast.Call) -> str | None:
    """Give the method that is called on a plugin's `db`, `session` of `self.db.session` say."""
    if not isinstance(call.func, ast.Attribute):
        return None
    owner = call.func.value
    if not isinstance(owner, ast.Attribute) or owner.attr != "db":
        return None
    return call.func.attr if _is_a_plugin(owner.value) else None


def _is_a_plugin(owner: ast.expr) -> bool:
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return name == "self" or name.strip("_") == "plugin"


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.py")):
        *parents, _ = path.relative_to(folder).parts
        if not any(part in _SKIPPED or part.startswith(".") for part in parents):
            yield path
