"""What an index is of is read out of the statement that made it."""

import pytest

from nexus.data.models.sqlite_indexes import read_expressions


@pytest.mark.parametrize(
    ("statement", "expressions", "condition"),
    [
        ("CREATE INDEX i ON t (lower(a))", ["lower(a)"], None),
        ("CREATE UNIQUE INDEX i ON t(a, lower(b) DESC,c)", ["a", "lower(b) DESC", "c"], None),
        ("CREATE INDEX i ON t ((a + 1), f(b, (c)))", ["(a + 1)", "f(b, (c))"], None),
        ("CREATE INDEX i ON t (lower(a)) WHERE b > (1)", ["lower(a)"], "b > (1)"),
        ("CREATE INDEX i ON t (lower(a))\n  where b = ')'", ["lower(a)"], "b = ')'"),
        (
            "CREATE INDEX \"(i,\" ON `(t` (f([(], ')'',('), \"b)\")",
            ["f([(], ')'',(')", '"b)"'],
            None,
        ),
    ],
)
def test_the_expressions_and_the_condition_are_read(
    statement: str, expressions: list[str], condition: str | None
) -> None:
    assert read_expressions(statement) == (expressions, condition)
