"""Collects the problems of one manifest while it is being read."""

from collections.abc import Collection
from typing import Any, Final

from nexus.errors import nearest
from nexus.manifest.problems import JsonPath, Problem, Severity, describe, render_path

LIMIT: Final = 100
"""How many errors, and how many warnings, are told of one manifest.

A broken megabyte can hold half a million of them; telling them all helps nobody and takes seconds.
"""

_LONGEST_MISSPELLING: Final = 64


class Report:
    """The problems found so far, in the order in which they were found."""

    __slots__ = ("_omitted", "_problems", "errors", "warnings")

    def __init__(self) -> None:
        self.errors = 0
        self.warnings = 0
        self._problems: list[Problem] = []
        self._omitted = False

    def full(self, severity: Severity = "error") -> bool:
        """Say whether the limit is reached; who asks in a loop stops there."""
        full = (self.errors if severity == "error" else self.warnings) >= LIMIT
        self._omitted |= full
        return full

    def add(
        self,
        path: JsonPath,
        *,
        found: str,
        expected: str,
        nearest: str | None = None,
        severity: Severity = "error",
    ) -> None:
        """Record one problem; past the limit it is counted and not kept."""
        if severity == "error":
            self.errors += 1
            kept = self.errors <= LIMIT
        else:
            self.warnings += 1
            kept = self.warnings <= LIMIT
        if not kept:
            self._omitted = True
            return
        self._problems.append(
            Problem(
                path=render_path(path),
                found=found,
                expected=expected,
                nearest=nearest,
                severity=severity,
            )
        )

    def mismatch(
        self,
        path: JsonPath,
        value: Any,
        expected: str,
        *,
        nearest: str | None = None,
        secret: bool = False,
        severity: Severity = "error",
    ) -> None:
        """Record that a value is not what was expected; a secret one is not echoed."""
        found = describe(value, secret=secret)
        self.add(path, found=found, expected=expected, nearest=nearest, severity=severity)

    def unknown_key(self, path: JsonPath, key: str, known: Collection[str]) -> None:
        """Record a key that nothing reads; `path` ends with it."""
        self.add(
            path,
            found="an unknown key",
            expected=f"one of {', '.join(known)}",
            nearest=closest(key, known),
            severity="warning",
        )

    def problems(self) -> tuple[Problem, ...]:
        """Give what was found; a last entry says when there was more than the limit."""
        if not self._omitted:
            return tuple(self._problems)
        more = Problem(
            path="$",
            found=f"more problems than the {LIMIT} that are shown",
            expected="the ones above to be put right first",
            severity="error" if self.errors else "warning",
        )
        return (*self._problems, more)


def closest(name: str, known: Collection[str]) -> str | None:
    """Give the known spelling closest to `name`, or None; a very long name is close to nothing."""
    if len(name) > _LONGEST_MISSPELLING:
        return None
    return nearest(name, tuple(known))
