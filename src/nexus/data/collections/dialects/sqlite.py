"""Documents in SQLite's words (3.38 or later, for `->`)."""

from collections.abc import Sequence
from typing import Any, Final

from nexus.data.collections.filter import Operator
from nexus.data.collections.literals import literals
from nexus.data.collections.numbers import integer_bound, number_literals
from nexus.data.collections.path import Path
from nexus.data.collections.sql import FALSE, Sql, both, either, fill, listed
from nexus.data.collections.tagged import ESCAPED, MARK

_NUMBER: Final = "json_type(doc, @) IN ('integer', 'real')"


def _json_path(path: Path) -> str:
    return "$" + "".join(f'."{key}"' for key in path)


class SqliteDialect:
    """`nexus.data.collections.dialects.dialect.Dialect` for SQLite.

    SQLite compares text by its bytes of UTF-8, and integers with doubles exactly. Reading a double
    from text may be off by the last bit in some releases, so equality is always one of the texts.
    """

    lock: Final = ""
    unlimited: Final = "-1"
    same_text: Final = "doc = ?"

    def finish(self, sql: Sql) -> tuple[str, tuple[Any, ...]]:
        """Give the statement as it is."""
        return sql.text, sql.parameters

    def text(self, value: str) -> str:
        """Give the id."""
        return value

    def id_text(self, value: Any) -> Any:
        """Give the id."""
        return value

    def raw(self, path: Path) -> Sql:
        """Give the JSON text at a path."""
        return Sql("(doc -> ?)", (_json_path(path),))

    def raw_in(self, path: Path, texts: Sequence[str]) -> Sql:
        """Compare the JSON text at a path."""
        if len(texts) == 1:
            return fill("@ = @", self.raw(path), texts[0])
        return fill("@ IN @", self.raw(path), listed(texts))

    def number(self, path: Path, operator: Operator, value: float) -> Sql:
        """Compare a number; the operator without `=`, and equality by the text."""
        place, texts = _json_path(path), number_literals(value)
        strict = fill(f"json_extract(doc, @) {operator[0]} @", place, value)
        if operator in (">=", "<="):
            compared = fill("(@ OR @)", strict, self.raw_in(path, texts)) if texts else strict
        else:
            compared = fill("(@ AND NOT @)", strict, self.raw_in(path, texts)) if texts else strict
        return fill(f"({_NUMBER} AND @)", place, compared)

    def string(self, path: Path, operator: Operator, text: str) -> Sql:
        """Compare a string."""
        place = _json_path(path)
        compared = fill(f"json_extract(doc, @) {operator} @", place, text)
        return fill("(json_type(doc, @) = 'text' AND @)", place, compared)

    def substring(self, path: Path, part: str) -> Sql:
        """Look into a string."""
        place = _json_path(path)
        plain = fill("substr(json_extract(doc, @), 1, 1) <> @", place, MARK)
        escaped = fill("substr(json_extract(doc, @), 1, 2) = @", place, ESCAPED)
        return fill(
            "(json_type(doc, @) = 'text' AND"
            " CASE WHEN @ THEN instr(json_extract(doc, @), @) > 0"
            " WHEN @ THEN instr(substr(json_extract(doc, @), 3), @) > 0 END)",
            place,
            plain,
            place,
            part,
            escaped,
            place,
            part,
        )

    def element(self, path: Path, value: Any) -> Sql:
        """Look into a list."""
        place = _json_path(path)
        return fill(
            "EXISTS (SELECT 1 FROM json_each(CASE WHEN json_type(doc, @) = 'array' THEN doc -> @"
            " END) AS element WHERE @)",
            place,
            place,
            _element_is(place, value),
        )

    def id_substring(self, part: str) -> Sql:
        """Look into the id."""
        return fill("instr(id, @) > 0", part)

    def keys(self, path: Path) -> tuple[Sql, ...]:
        """Sort by type, and within it as SQLite sorts."""
        place = _json_path(path)
        tagged = fill(
            "substr(json_extract(doc, @), 1, 1) = @ AND substr(json_extract(doc, @), 1, 2) <> @",
            place,
            MARK,
            place,
            ESCAPED,
        )
        rank = fill(
            "CASE json_type(doc, @) WHEN 'true' THEN 1 WHEN 'false' THEN 1"
            " WHEN 'integer' THEN 2 WHEN 'real' THEN 2"
            " WHEN 'text' THEN CASE WHEN @ THEN 4 ELSE 3 END"
            " WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END",
            place,
            tagged,
        )
        value = fill(
            "CASE WHEN json_type(doc, @) NOT IN ('array', 'object') THEN json_extract(doc, @) END",
            place,
            place,
        )
        return rank, value

    def ordered(self, key: Sql, *, descending: bool) -> Sql:
        """Sort; NULL is the least anyway."""
        return fill("@ DESC" if descending else "@", key)


def _element_is(place: str, value: Any) -> Sql:
    if value is None:
        return Sql("element.type = 'null'")
    if type(value) is bool:
        return Sql(f"element.type = '{'true' if value else 'false'}'")
    if type(value) is str:
        return fill("element.type = 'text' AND element.value = @", value)
    cases = []
    if value == integer_bound(">=", value)[1]:
        cases.append(fill("element.type = 'integer' AND element.value = @", int(value)))
    # The text of an element is looked up where its value is close, since that reads the whole list.
    exact = fill("((doc -> @) -> element.key) IN @", place, listed(literals(value)))
    margin = abs(value) * 1e-14
    near = fill("element.value BETWEEN @ AND @", value - margin, value + margin)
    cases.append(fill("element.type = 'real' AND @", both([near, exact])))
    return either([fill("(@)", case) for case in cases]) if cases else FALSE
