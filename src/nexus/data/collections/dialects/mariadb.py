"""Documents in MariaDB's words (10.6 or later, for JSON_TABLE).

Ids and JSON texts are compared as bytes: collations of text ignore spaces at the end. Sorting by
what has no index looks at the first `max_sort_length` bytes of strings, which are 1024.
"""

from collections.abc import Sequence
from typing import Any, Final

from nexus.data.collections.filter import Operator
from nexus.data.collections.literals import literals
from nexus.data.collections.numbers import double_bound, integer_bound
from nexus.data.collections.path import Path
from nexus.data.collections.sql import Sql, fill, listed
from nexus.data.collections.tagged import ESCAPED, MARK

_MARK: Final = MARK.encode()
_ESCAPED: Final = ESCAPED.encode()


def _value(path: Path) -> Sql:
    return Sql("JSON_EXTRACT(doc, ?)", ("$" + "".join(f'."{key}"' for key in path),))


def _bytes(value: Sql) -> Sql:
    return fill("CAST(@ AS BINARY)", value)


def _string(value: Sql) -> Sql:
    return fill("CAST(JSON_UNQUOTE(@) AS BINARY)", value)


class MariadbDialect:
    """`nexus.data.collections.dialects.dialect.Dialect` for MariaDB.

    CASE keeps casts away from what they would warn about.
    """

    lock: Final = " FOR UPDATE"
    unlimited: Final = "18446744073709551615"
    same_text: Final = "doc = ?"

    def finish(self, sql: Sql) -> tuple[str, tuple[Any, ...]]:
        """Give the statement with the driver's placeholders."""
        return sql.text.replace("?", "%s"), sql.parameters

    def text(self, value: str) -> bytes:
        """Give the bytes of an id."""
        return value.encode()

    def id_text(self, value: Any) -> str:
        """Give the id that a row has as bytes."""
        return str(value, "utf-8")

    def raw(self, path: Path) -> Sql:
        """Give the JSON text at a path."""
        return _value(path)

    def raw_in(self, path: Path, texts: Sequence[str]) -> Sql:
        """Compare the JSON text at a path."""
        return fill("@ IN @", _bytes(_value(path)), listed([text.encode() for text in texts]))

    def number(self, path: Path, operator: Operator, value: float) -> Sql:
        """Compare a number as the double or the integer that it is."""
        doubles, double = double_bound(operator, value)
        integers, integer = integer_bound(operator, value)
        raw = _value(path)
        return fill(
            "(CASE WHEN JSON_TYPE(@) IN ('INTEGER', 'DOUBLE') THEN CASE WHEN @ REGEXP '[.e]'"
            f" THEN CAST(@ AS DOUBLE) {doubles} @ ELSE CAST(@ AS SIGNED) {integers} @ END END)",
            raw,
            raw,
            raw,
            double,
            raw,
            integer,
        )

    def string(self, path: Path, operator: Operator, text: str) -> Sql:
        """Compare a string."""
        return fill(
            f"(CASE WHEN JSON_TYPE(@) = 'STRING' THEN @ {operator} @ END)",
            _value(path),
            _string(_value(path)),
            text.encode(),
        )

    def substring(self, path: Path, part: str) -> Sql:
        """Look into a string."""
        string = _string(_value(path))
        return fill(
            "(CASE WHEN JSON_TYPE(@) <> 'STRING' THEN FALSE"
            " WHEN LEFT(@, 1) <> @ THEN LOCATE(@, @) > 0"
            " WHEN LEFT(@, 2) = @ THEN LOCATE(@, SUBSTRING(@, 3)) > 0 END)",
            _value(path),
            string,
            _MARK,
            part.encode(),
            string,
            string,
            _ESCAPED,
            part.encode(),
            string,
        )

    def element(self, path: Path, value: Any) -> Sql:
        """Look into a list."""
        return fill(
            "EXISTS (SELECT 1 FROM JSON_TABLE(CASE WHEN JSON_TYPE(@) = 'ARRAY' THEN @ ELSE '[]'"
            " END, '$[*]' COLUMNS (element JSON PATH '$')) AS elements"
            " WHERE CAST(element AS BINARY) IN @)",
            _value(path),
            _value(path),
            listed([text.encode() for text in literals(value)]),
        )

    def id_substring(self, part: str) -> Sql:
        """Look into the id."""
        return fill("LOCATE(@, id) > 0", part.encode())

    def keys(self, path: Path) -> tuple[Sql, ...]:
        """Sort by type, and within it by one term for each type.

        Integers beyond 2**53 that are the same double are told apart by a second term.
        """
        value = _value(path)
        string = _string(value)
        rank = fill(
            "CASE JSON_TYPE(@) WHEN 'BOOLEAN' THEN 1 WHEN 'INTEGER' THEN 2 WHEN 'DOUBLE' THEN 2"
            " WHEN 'STRING' THEN CASE WHEN LEFT(@, 1) = @ AND LEFT(@, 2) <> @ THEN 4 ELSE 3 END"
            " WHEN 'ARRAY' THEN 5 WHEN 'OBJECT' THEN 5 ELSE 0 END",
            value,
            string,
            _MARK,
            string,
            _ESCAPED,
        )
        number = "JSON_TYPE(@) IN ('INTEGER', 'DOUBLE')"
        double = fill(f"CASE WHEN {number} THEN CAST(@ AS DOUBLE) END", value, value)
        exact = fill(
            f"CASE WHEN NOT {number} THEN NULL WHEN @ NOT REGEXP '[.e]' THEN CAST(@ AS SIGNED)"
            " WHEN ABS(CAST(@ AS DOUBLE)) < 9223372036854775808e0"
            " THEN CAST(CAST(@ AS DOUBLE) AS SIGNED)"
            " ELSE SIGN(CAST(@ AS DOUBLE)) * 9223372036854775808.0 END",
            value,
            value,
            value,
            value,
            value,
            value,
        )
        text = fill("CASE WHEN JSON_TYPE(@) IN ('BOOLEAN', 'STRING') THEN @ END", value, string)
        return rank, double, exact, text

    def ordered(self, key: Sql, *, descending: bool) -> Sql:
        """Sort; NULL is the least anyway."""
        return fill("@ DESC" if descending else "@", key)
