"""Holds what a plugin's source does with `self.db` against the permissions that it asks for."""

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.source import Source, method_of_its_database

READ: Final = "database.read"
WRITE: Final = "database.write"
_EITHER: Final = frozenset({"collection", "transaction"})
"""What reads or writes by what is done with the result, which is not looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUse:
    """One call on a plugin's database.

    Attributes:
        call: The call, such as `db.session()`.
        place: Where it stands.
        needs: The permissions without which it is refused.
        may_use: The permissions that it is a use of.
    """

    call: str
    place: str
    needs: AbstractSet[str]
    may_use: AbstractSet[str]


def stored_uses(source: Source) -> list[StoredUse]:
    """Find the calls on a plugin's `db`."""
    return [
        use
        for file, tree in source.trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (use := _use(node, file)) is not None
    ]


def check_stored(uses: list[StoredUse], asked: AbstractSet[str]) -> Iterator[Finding]:
    """Find calls that the permissions do not cover."""
    for use in uses:
        missing = sorted(use.needs - asked)
        if not use.needs and not asked & use.may_use:
            missing = sorted(use.may_use)
        if missing:
            names = " and ".join(repr(name) for name in missing)
            lines = ", ".join(f'"{name}"' for name in missing)
            yield Finding(
                level=Level.ERROR,
                place=use.place,
                message=f"{use.call} needs the permission {names}, which the manifest does not ask"
                f' for. Add {lines} to "permissions".',
            )


def _use(call: ast.Call, file: str) -> StoredUse | None:
    method = method_of_its_database(call)
    both = frozenset({READ, WRITE})
    if method in _EITHER:
        needs: frozenset[str] = frozenset()
    elif method == "session":
        needs = frozenset({READ}) if _only_reads(call) else both
    else:
        return None
    return StoredUse(
        call=f"db.{method}()",
        place=f"{file}:{call.lineno}",
        needs=needs,
        may_use=needs or both,
    )


def _only_reads(call: ast.Call) -> bool:
    given = next((word.value for word in call.keywords if word.arg == "read_only"), None)
    return isinstance(given, ast.Constant) and given.value is True
