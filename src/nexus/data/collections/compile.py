"""From what a filter asks for to SQL: key columns where there are some, JSON text elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.filter import (
    Comparison,
    Condition,
    Conjunction,
    Containment,
    Disjunction,
    Existence,
    Filter,
    Membership,
    Negation,
    Operator,
)
from nexus.data.collections.key import encode_key, key_range
from nexus.data.collections.literals import literals, stored
from nexus.data.collections.numbers import integer_bound
from nexus.data.collections.order import SortKey
from nexus.data.collections.path import Path
from nexus.data.collections.sql import FALSE, TRUE, Sql, both, either, fill, listed
from nexus.data.collections.tagged import ESCAPED, MARK

_ID: Final = ("_id",)
_VERSION: Final = ("_version",)


class Compiler:
    """Writes conditions and orders for one table.

    Args:
        dialect: The engine's words.
        columns: The key column of each indexed path.
    """

    def __init__(self, dialect: Dialect, columns: Mapping[Path, str]) -> None:
        self._dialect = dialect
        self._columns = columns

    def condition(self, part: Filter) -> Sql:
        """Give what stands after WHERE."""
        if isinstance(part, Conjunction | Disjunction):
            parts = [self.condition(each) for each in part.parts]
            return both(parts) if isinstance(part, Conjunction) else either(parts)
        if isinstance(part, Negation):
            # Also where there is nothing, and SQL does not know.
            return fill("(@) IS NOT TRUE", self.condition(part.part))
        return self.leaf(part)

    def leaf(self, part: Condition) -> Sql:
        """Give what asks about one path."""
        if part.path == _ID:
            return self._about_id(part)
        if part.path == _VERSION:
            return _about_version(part)
        if isinstance(part, Comparison):
            return self._comparison(part.path, part.operator, part.value)
        if isinstance(part, Membership):
            return self._membership(part)
        return self._existence(part) if isinstance(part, Existence) else self._containment(part)

    def order(self, keys: Sequence[SortKey]) -> Sql:
        """Give what stands after ORDER BY."""
        terms: list[Sql] = []
        for key in keys:
            column = self._columns.get(key.path)
            if key.path in (_ID, _VERSION):
                name = key.path[0][1:]  # never NULL, and in the database's own order
                terms.append(Sql(f"{name} DESC" if key.descending else name))
            elif column is not None:
                terms.append(self._dialect.ordered(Sql(column), descending=key.descending))
            else:
                terms += [
                    self._dialect.ordered(term, descending=key.descending)
                    for term in self._dialect.keys(key.path)
                ]
        return fill(", ".join("@" * len(terms)), *terms)

    def _comparison(self, path: Path, operator: Operator, value: Any) -> Sql:
        column = self._columns.get(path)
        if column is not None:
            return _keyed(column, operator, value)
        if operator == "=":
            return self._equals(path, (value,))
        if type(value) is bool:
            matching = [other for other in (False, True) if _holds(other, operator, value)]
            return self._equals(path, matching)
        if type(value) in (int, float):
            return self._dialect.number(path, operator, value)
        return self._string(path, operator, stored(value), is_tagged=type(value) is not str)

    def _membership(self, part: Membership) -> Sql:
        column = self._columns.get(part.path)
        if column is None:
            return self._equals(part.path, part.values)
        keys = {encode_key(value) for value in part.values}
        known = [key for key in keys if key is not None]
        cases = [fill(f"{column} IN @", listed(known))] if known else []
        if None in keys:
            cases.append(Sql(f"{column} IS NULL"))
        return either(cases)

    def _equals(self, path: Path, values: Sequence[Any]) -> Sql:
        texts = dict.fromkeys(
            text for value in values if value is not None for text in literals(stored(value))
        )
        cases = [self._dialect.raw_in(path, list(texts))] if texts else []
        if any(value is None for value in values):
            cases += [
                fill("@ IS NULL", self._dialect.raw(path)),
                self._dialect.raw_in(path, ["null"]),
            ]
        return either(cases)

    def _string(self, path: Path, operator: Operator, text: str, *, is_tagged: bool) -> Sql:
        """Compare a stored text with those of its own type."""
        compared = self._dialect.string(path, operator, text)
        upwards = operator[0] == ">"
        if is_tagged:
            kind = text[:2] if not upwards else MARK + chr(ord(text[1]) + 1)
            return both([compared, self._dialect.string(path, "<" if upwards else ">=", kind)])
        # Strings are what sorts before the mark, and from escaped ones on.
        if upwards and text < MARK:
            above = self._dialect.string(path, ">=", ESCAPED)
            return either([both([compared, self._dialect.string(path, "<", MARK)]), above])
        if not upwards and text >= ESCAPED:
            below = self._dialect.string(path, "<", MARK)
            return either([both([compared, self._dialect.string(path, ">=", ESCAPED)]), below])
        return compared

    def _existence(self, part: Existence) -> Sql:
        return fill("@ IS NOT NULL", self._dialect.raw(part.path))

    def _containment(self, part: Containment) -> Sql:
        cases = [self._dialect.element(part.path, stored(part.value))]
        if type(part.value) is str:
            cases.append(self._dialect.substring(part.path, part.value))
        return either(cases)

    def _about_id(self, part: Condition) -> Sql:
        """Ask about the id, which is a string always."""
        if isinstance(part, Existence):
            return TRUE
        if isinstance(part, Membership):
            ids = [self._dialect.text(value) for value in part.values if type(value) is str]
            return fill("id IN @", listed(ids)) if ids else FALSE
        if type(part.value) is not str:
            return FALSE
        if isinstance(part, Containment):
            return self._dialect.id_substring(part.value)
        return Sql(f"id {part.operator} ?", (self._dialect.text(part.value),))


def _about_version(part: Condition) -> Sql:
    """Ask about the version, which is an integer always."""
    if isinstance(part, Existence):
        return TRUE
    if isinstance(part, Membership):
        return either([_version("=", value) for value in part.values])
    return FALSE if isinstance(part, Containment) else _version(part.operator, part.value)


def _holds(left: bool, operator: Operator, right: bool) -> bool:
    if operator == ">":
        return left > right
    if operator == ">=":
        return left >= right
    return left < right if operator == "<" else left <= right


def _version(operator: Operator, value: Any) -> Sql:
    if type(value) not in (int, float):
        return FALSE
    if operator != "=":
        bound = integer_bound(operator, value)
        return Sql(f"version {bound[0]} ?", (bound[1],))
    return Sql("version = ?", (int(value),)) if value == integer_bound(">=", value)[1] else FALSE


def _keyed(column: str, operator: Operator, value: Any) -> Sql:
    key = encode_key(value)
    if key is None:
        return Sql(f"{column} IS NULL")
    if operator == "=":
        return Sql(f"{column} = ?", (key,))
    begin, end = key_range(key)
    if operator[0] == ">":
        return Sql(f"({column} {operator} ? AND {column} < ?)", (key, end))
    return Sql(f"({column} {operator} ? AND {column} >= ?)", (key, begin))
