"""Documents in PostgreSQL's words; `doc` is of type json, which keeps the text as it is."""

from collections.abc import Sequence
from typing import Any, Final

from nexus.data.collections.filter import Operator
from nexus.data.collections.literals import literals
from nexus.data.collections.numbers import double_bound, integer_bound
from nexus.data.collections.path import Path
from nexus.data.collections.sql import Sql, fill
from nexus.data.collections.tagged import ESCAPED, MARK


def _value(path: Path) -> Sql:
    # Not `#>`, which takes a number for the index of a list's element.
    return Sql(f"(doc{' -> ?::text' * len(path)})", path)


class PostgresqlDialect:
    """`nexus.data.collections.dialects.dialect.Dialect` for PostgreSQL.

    CASE stands where the order of evaluation matters: a cast of what is no number fails.
    """

    lock: Final = " FOR UPDATE"
    unlimited: Final = "ALL"
    same_text: Final = "doc::text = ?::text"

    def finish(self, sql: Sql) -> tuple[str, tuple[Any, ...]]:
        """Number the placeholders; a text that comes again has its number again."""
        texts = sql.text.split("?")
        statement = [texts[0]]
        parameters: list[Any] = []
        numbers: dict[str, int] = {}
        for value, following in zip(sql.parameters, texts[1:], strict=True):
            number = numbers.get(value) if type(value) is str else None
            if number is None:
                parameters.append(value)
                number = len(parameters)
                if type(value) is str:
                    numbers[value] = number
            statement.append(f"${number}{following}")
        return "".join(statement), tuple(parameters)

    def text(self, value: str) -> str:
        """Give the id."""
        return value

    def id_text(self, value: Any) -> Any:
        """Give the id."""
        return value

    def raw(self, path: Path) -> Sql:
        """Give the JSON text at a path."""
        return fill("@::text", _value(path))

    def raw_in(self, path: Path, texts: Sequence[str]) -> Sql:
        """Compare the JSON text at a path."""
        if len(texts) == 1:
            return fill("@ = @::text", self.raw(path), texts[0])
        return fill("@ = ANY(@::text[])", self.raw(path), list(texts))

    def number(self, path: Path, operator: Operator, value: float) -> Sql:
        """Compare a number as the double or the integer that it is."""
        doubles, double = double_bound(operator, value)
        integers, integer = integer_bound(operator, value)
        raw = self.raw(path)
        return fill(
            "(CASE WHEN json_typeof(@) = 'number' THEN CASE WHEN @ ~ '[.e]'"
            f" THEN @::float8 {doubles} @::float8 ELSE @::int8 {integers} @::int8 END END)",
            _value(path),
            raw,
            raw,
            double,
            raw,
            integer,
        )

    def string(self, path: Path, operator: Operator, text: str) -> Sql:
        """Compare a string."""
        return fill(
            "(CASE WHEN json_typeof(@) = 'string'"
            f" THEN (@ #>> '{{}}') COLLATE \"C\" {operator} @::text END)",
            _value(path),
            _value(path),
            text,
        )

    def substring(self, path: Path, part: str) -> Sql:
        """Look into a string."""
        value = _value(path)
        string = fill("(@ #>> '{}')", value)
        return fill(
            "(CASE WHEN json_typeof(@) <> 'string' THEN FALSE"
            " WHEN left(@, 1) <> @::text THEN strpos(@, @::text) > 0"
            " WHEN left(@, 2) = @::text THEN strpos(substr(@, 3), @::text) > 0 END)",
            value,
            string,
            MARK,
            string,
            part,
            string,
            ESCAPED,
            string,
            part,
        )

    def element(self, path: Path, value: Any) -> Sql:
        """Look into a list."""
        return fill(
            "EXISTS (SELECT 1 FROM json_array_elements(CASE WHEN json_typeof(@) = 'array' THEN @"
            " END) AS elements (element) WHERE element::text = ANY(@::text[]))",
            _value(path),
            _value(path),
            list(literals(value)),
        )

    def id_substring(self, part: str) -> Sql:
        """Look into the id."""
        return fill("strpos(id, @::text) > 0", part)

    def keys(self, path: Path) -> tuple[Sql, ...]:
        """Sort by type, and within it by one term for each type.

        Integers beyond 2**53 that are the same double are told apart by a second term.
        """
        value, raw = _value(path), self.raw(path)
        string = fill("(@ #>> '{}')", value)
        rank = fill(
            "CASE json_typeof(@) WHEN 'boolean' THEN 1 WHEN 'number' THEN 2 WHEN 'string' THEN"
            " CASE WHEN left(@, 1) = @::text AND left(@, 2) <> @::text THEN 4 ELSE 3 END"
            " WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END",
            value,
            string,
            MARK,
            string,
            ESCAPED,
        )
        double = fill("CASE WHEN json_typeof(@) = 'number' THEN @::float8 END", value, raw)
        exact = fill(
            "CASE WHEN json_typeof(@) <> 'number' THEN NULL WHEN @ !~ '[.e]' THEN @::numeric"
            " WHEN abs(@::float8) < 9223372036854775808 THEN @::float8::int8::numeric"
            " ELSE sign(@::float8)::numeric * 9223372036854775808 END",
            value,
            raw,
            raw,
            raw,
            raw,
            raw,
        )
        text = fill(
            "CASE WHEN json_typeof(@) IN ('boolean', 'string') THEN @ END COLLATE \"C\"",
            value,
            string,
        )
        return rank, double, exact, text

    def ordered(self, key: Sql, *, descending: bool) -> Sql:
        """Sort with NULL as the least, as the indexes do."""
        return fill("@ DESC NULLS LAST" if descending else "@ NULLS FIRST", key)
