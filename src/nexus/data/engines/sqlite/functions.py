"""What SQL can call on every connection of ours, and SQLite itself does not have."""

import re
import sqlite3


def add_functions(connection: sqlite3.Connection) -> None:
    """Define `regexp(pattern, text)`, which SQLite's operator REGEXP calls.

    SQLAlchemy's dialect defines the same one (`Column.regexp_match`), for each connection anew.
    """
    connection.create_function("regexp", 2, _matches, deterministic=True)


def _matches(pattern: str | None, text: str | None) -> bool | None:
    if pattern is None or text is None:
        return None
    return re.search(pattern, text) is not None
