"""Reads JSON strictly and safely: bounded depth, finite numbers, each key once, valid text."""

import json
import math
import re
from collections import Counter
from typing import Any, Final

from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID

MAX_DEPTH: Final = 64
"""How deep arrays and objects may nest."""

_EXPECTED: Final = "JSON (RFC 8259: double quotes, no comments, no comma after the last entry)"
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class _RepeatingObject(dict[str, Any]):
    """An object that names a key twice; the last value stays, as in Python's own reader."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs)
        self.repeated = {name for name, count in times.items() if count > 1}


class _Hooks:
    """What the parser calls; notes whether the result needs a second look."""

    __slots__ = ("suspicious",)

    def __init__(self, *, suspicious: bool) -> None:
        self.suspicious = suspicious

    def make_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        self.suspicious = True
        return _RepeatingObject(pairs)

    def make_float(self, text: str) -> float:
        number = float(text)
        if not math.isfinite(number):  # 1e999 is JSON, but no number that we can hold
            self.suspicious = True
        return number


def read_json(text: str, report: Report) -> Any:
    """Read a JSON document.

    Args:
        text: The document.
        report: Gets what is wrong: a syntax error with line and column, nesting deeper than
            `MAX_DEPTH`, a repeated key, NaN, an infinity, or a lone surrogate.

    Returns:
        The value, or `INVALID` when no value could be made.
    """
    if not _is_shallow(text, report):
        return INVALID
    hooks = _Hooks(suspicious=_SURROGATE.search(text) is not None)
    try:
        value = json.loads(
            text,
            object_pairs_hook=hooks.make_object,
            parse_float=hooks.make_float,
            parse_constant=hooks.make_float,
        )
    except json.JSONDecodeError as error:
        found = f"text that is not JSON at line {error.lineno}, column {error.colno} ({error.msg})"
        report.add((), found=found, expected=_EXPECTED)
        return INVALID
    except ValueError:  # from int(): Python bounds the digits, since converting is quadratic
        report.add((), found="an integer of thousands of digits", expected="shorter numbers")
        return INVALID
    if hooks.suspicious:
        _inspect(value, (), report)
    return value


def _is_shallow(text: str, report: Report) -> bool:
    # Whoever opens few brackets cannot nest deeply: nearly every manifest ends here.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return True
    depth = 0
    for token in _TOKEN.finditer(text):
        char = token[0]
        if char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                line = text.count("\n", 0, token.start()) + 1
                column = token.start() - text.rfind("\n", 0, token.start())
                report.add(
                    (),
                    found=f"nesting deeper than {MAX_DEPTH} levels at line {line}, column {column}",
                    expected=f"arrays and objects at most {MAX_DEPTH} levels deep",
                )
                return False
        elif char in "]}":
            depth -= 1
    return True


def _inspect(value: Any, path: JsonPath, report: Report) -> None:
    """Report what the parser accepts and JSON, or the platform, does not."""
    if report.full():
        return
    match value:
        case str():
            _inspect_text(value, path, report)
        case float() if not math.isfinite(value):
            report.add(path, found=str(value), expected="a finite number")
        case list():
            for index, entry in enumerate(value):
                _inspect(entry, (*path, index), report)
        case dict():
            _inspect_object(value, path, report)
        case _:
            pass


def _inspect_object(value: dict[str, Any], path: JsonPath, report: Report) -> None:
    repeated = value.repeated if isinstance(value, _RepeatingObject) else ()
    for name, entry in value.items():
        if report.full():
            return
        if name in repeated:
            report.add((*path, name), found="this key more than once", expected="each key once")
        _inspect_text(name, (*path, name), report)
        _inspect(entry, (*path, name), report)


def _inspect_text(text: str, path: JsonPath, report: Report) -> None:
    if any("\ud800" <= char <= "\udfff" for char in text):
        report.add(path, found="half of a surrogate pair", expected="text that UTF-8 can carry")
