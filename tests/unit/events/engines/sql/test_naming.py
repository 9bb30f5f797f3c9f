import sqlite3

import pytest

from nexus.events.engines.sql.naming import named_like
from nexus.events.pattern import matches

NAMES = ["a", "a.b", "a.b.c", "a-.b", "ab", "ab.c", "b", "x.a.b", "a.B", "a.0", "a.z_"]
PATTERNS = ["**", "*", "a", "a.*", "a.**", "a.b", "a.*.c", "*.b", "ab.*", "a.b.**", "*.a.**"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_condition_leaves_out_nothing_that_matches(pattern: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE events (name TEXT)")
        connection.executemany("INSERT INTO events VALUES (?)", [(name,) for name in NAMES])
        condition, values = named_like(pattern)
        found = {
            row[0]
            for row in connection.execute(
                f"SELECT name FROM events WHERE 1 = 1{condition}",  # noqa: S608
                values,
            )
        }
    connection.close()
    assert found >= {name for name in NAMES if matches(pattern, name)}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.b", (" AND name = ?", ("a.b",))),
        ("a.*", (" AND name > ? AND name < ?", ("a.", "a/"))),
        ("a.b.**", (" AND name > ? AND name < ?", ("a.b.", "a.b/"))),
        ("*.b", ("", ())),
        ("**", ("", ())),
    ],
)
def test_a_fixed_beginning_becomes_a_range(pattern: str, expected: object) -> None:
    assert named_like(pattern) == expected
