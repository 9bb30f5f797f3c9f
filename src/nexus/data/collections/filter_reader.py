"""Reads the filters that callers write, dicts such as `{"price": {"$lt": 20}, "tags": "new"}`."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from nexus.data.collections.filter import (
    EVERYTHING,
    Comparison,
    Conjunction,
    Containment,
    Disjunction,
    Existence,
    Filter,
    Membership,
    Negation,
    Operator,
)
from nexus.data.collections.path import EXPECTED as A_PATH
from nexus.data.collections.path import Path, parse_path
from nexus.data.collections.refusal import problem_of
from nexus.errors import InvalidFilter
from nexus.manifest.problems import JsonPath, describe, render_path
from nexus.manifest.report import closest

MAX_DEPTH: Final = 20
MAX_TERMS: Final = 1000
MAX_VALUES: Final = 1000
MAX_VALUES_IN_ALL: Final = 5000

_COMPARISONS: Final[Mapping[str, Operator]] = {
    "$eq": "=",
    "$gt": ">",
    "$gte": ">=",
    "$lt": "<",
    "$lte": "<=",
}
_ON_VALUES: Final = (*_COMPARISONS, "$ne", "$in", "$nin", "$exists", "$contains", "$not")
_ON_FILTERS: Final = ("$and", "$or", "$not")
_IN_DICTS: Final = frozenset({list, dict})
_SCALAR: Final = "None, a bool, number, string, date, datetime or UUID"


def read_filter(value: Any) -> Filter:
    """Read a filter.

    Args:
        value: A dict, or None for everything.

    Raises:
        InvalidFilter: It has a path, an operator or an operand that cannot be, or too many of them.
    """
    if not value and (value is None or type(value) is dict):
        return EVERYTHING
    return _Reader().filter(value, (), MAX_DEPTH)


class _Reader:
    """Reads one filter, and counts what is in it."""

    def __init__(self) -> None:
        self._terms = 0
        self._values = 0

    def filter(self, value: Any, at: JsonPath, levels: int) -> Filter:
        """Read a dict of conditions, all of which hold."""
        if type(value) is not dict:
            _refuse(at, value, "a dict of conditions by path")
        if levels == 0:
            _refuse(at, value, f"filters in filters, {MAX_DEPTH} deep at most")
        parts = [self._entry(key, part, (*at, key), levels) for key, part in value.items()]
        return parts[0] if len(parts) == 1 else Conjunction(tuple(parts))

    def _entry(self, key: Any, value: Any, at: JsonPath, levels: int) -> Filter:
        if type(key) is not str:
            raise InvalidFilter(path=render_path(at[:-1]), found=f"{key!r:.40}", expected=A_PATH)
        if key[:1] == "$":
            return self._combination(key, value, at, levels - 1)
        path = parse_path(key)
        if path is None or (path[0] in ("_id", "_version") and len(path) > 1):
            raise InvalidFilter(path=render_path(at), found="no path", expected=A_PATH)
        return self._conditions(path, value, at, levels)

    def _combination(self, name: str, value: Any, at: JsonPath, levels: int) -> Filter:
        if name == "$not":
            return Negation(self.filter(value, at, levels))
        if name not in _ON_FILTERS:
            beside = name in _ON_VALUES
            raise InvalidFilter(
                path=render_path(at),
                found="an operator without a path" if beside else "an unknown operator",
                expected=f"{{path: {{{name!r}: ...}}}}" if beside else _one_of(_ON_FILTERS),
                nearest=None if beside else _nearest(name, _ON_FILTERS),
            )
        if type(value) is not list or not value:
            _refuse(at, value, "a list of filters, at least one")
        self._count(len(value), at)
        parts = tuple(self.filter(part, (*at, i), levels) for i, part in enumerate(value))
        return Conjunction(parts) if name == "$and" else Disjunction(parts)

    def _conditions(self, path: Path, value: Any, at: JsonPath, levels: int) -> Filter:
        if type(value) is not dict:
            self._count(1, at)
            return Comparison(path, "=", self._operand(value, at))
        if not value or any(type(name) is not str or name[:1] != "$" for name in value):
            expected = "operators only, or the value itself; name a nested value as 'a.b'"
            _refuse(at, value, expected)
        if levels == 0:
            _refuse(at, value, f"filters in filters, {MAX_DEPTH} deep at most")
        parts = [
            self._condition(path, name, operand, (*at, name), levels)
            for name, operand in value.items()
        ]
        return parts[0] if len(parts) == 1 else Conjunction(tuple(parts))

    def _condition(self, path: Path, name: str, operand: Any, at: JsonPath, levels: int) -> Filter:
        self._count(1, at)
        if name in _COMPARISONS:
            value = self._operand(operand, at)
            if value is None and name != "$eq":
                _refuse(at, value, "a value that comes before or after others; None does not")
            return Comparison(path, _COMPARISONS[name], value)
        if name not in _ON_VALUES:
            raise InvalidFilter(
                path=render_path(at),
                found="an unknown operator",
                expected=_one_of(_ON_VALUES),
                nearest=_nearest(name, _ON_VALUES),
            )
        if name == "$not":
            if type(operand) is not dict:
                _refuse(at, operand, "a dict of operators")
            return Negation(self._conditions(path, operand, at, levels - 1))
        return self._other(path, name, operand, at)

    def _other(self, path: Path, name: str, operand: Any, at: JsonPath) -> Filter:
        if name == "$ne":
            return Negation(Comparison(path, "=", self._operand(operand, at)))
        if name == "$contains":
            return Containment(path, self._operand(operand, at))
        if name == "$exists":
            if type(operand) is not bool:
                _refuse(at, operand, "True or False")
            return Existence(path) if operand else Negation(Existence(path))
        among = self._membership(path, operand, at)
        return among if name == "$in" else Negation(among)

    def _membership(self, path: Path, operand: Any, at: JsonPath) -> Filter:
        if type(operand) is not list:
            _refuse(at, operand, "a list of values")
        self._values += len(operand)
        if len(operand) > MAX_VALUES or self._values > MAX_VALUES_IN_ALL:
            found = f"a list of {len(operand)} values"
            limits = f"at most {MAX_VALUES} values, and {MAX_VALUES_IN_ALL} in all of a filter"
            raise InvalidFilter(path=render_path(at), found=found, expected=limits)
        return Membership(
            path, tuple(self._operand(value, (*at, i)) for i, value in enumerate(operand))
        )

    @staticmethod
    def _operand(value: Any, at: JsonPath) -> Any:
        if type(value) in _IN_DICTS:
            _refuse(at, value, _SCALAR)
        problem = problem_of(value)
        if problem is not None:
            raise InvalidFilter(path=render_path(at), found=problem[0], expected=_SCALAR)
        return value

    def _count(self, terms: int, at: JsonPath) -> None:
        self._terms += terms
        if self._terms > MAX_TERMS:
            found = f"one of more than {MAX_TERMS} conditions"
            raise InvalidFilter(path=render_path(at), found=found, expected="fewer conditions")


def _refuse(at: JsonPath, value: Any, expected: str) -> NoReturn:
    kind = type(value)
    if kind is dict:
        found = "a dict"
    elif kind is list:
        found = "a list" if value else "an empty list"
    elif problem_of(value) is None and kind in (str, int, float, bool, type(None)):
        found = describe(value)
    else:
        found = f"a value of type {kind.__qualname__}"
    raise InvalidFilter(path=render_path(at), found=found, expected=expected)


def _one_of(names: tuple[str, ...]) -> str:
    return f"one of {', '.join(names)}"


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    close = closest(name[1:], [each[1:] for each in known])  # the sign is common to all of them
    return None if close is None else f"${close}"
