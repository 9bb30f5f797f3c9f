"""What a database engine says in its own way about documents."""

from collections.abc import Sequence
from typing import Any, Protocol

from nexus.data.collections.filter import Operator
from nexus.data.collections.path import Path
from nexus.data.collections.sql import Sql


class Dialect(Protocol):
    """How one engine writes conditions and statements.

    A path is what `parse_path` gives, and texts are those that are stored, tags included.

    Attributes:
        lock: What a SELECT ends with so that others cannot change its rows meanwhile.
        unlimited: What stands for LIMIT where there is an offset alone.
        same_text: Asks whether a document's text is the parameter, as it was stored.
    """

    lock: str
    unlimited: str
    same_text: str

    def finish(self, sql: Sql) -> tuple[str, tuple[Any, ...]]:
        """Give the statement with the engine's placeholders, and its parameters."""
        ...

    def text(self, value: str) -> Any:
        """Give the parameter for an id."""
        ...

    def id_text(self, value: Any) -> str:
        """Give the id back that a row has."""
        ...

    def raw(self, path: Path) -> Sql:
        """Give the JSON text of what is at a path, as it was stored; NULL for nothing.

        Lists and objects may be written in another way.
        """
        ...

    def raw_in(self, path: Path, texts: Sequence[str]) -> Sql:
        """Ask whether what is at a path is one of these JSON texts."""
        ...

    def number(self, path: Path, operator: Operator, value: float) -> Sql:
        """Ask how the number at a path compares, exactly; `operator` is not `=`."""
        ...

    def string(self, path: Path, operator: Operator, text: str) -> Sql:
        """Ask how the string at a path compares by code points."""
        ...

    def substring(self, path: Path, part: str) -> Sql:
        """Ask whether the string at a path, be it tagged as one, has another in it."""
        ...

    def element(self, path: Path, value: Any) -> Sql:
        """Ask whether the list at a path has an element that equals a stored scalar."""
        ...

    def id_substring(self, part: str) -> Sql:
        """Ask whether the id has a text in it."""
        ...

    def keys(self, path: Path) -> tuple[Sql, ...]:
        """Give what to sort by so that documents come in the order of what is at a path."""
        ...

    def ordered(self, key: Sql, *, descending: bool) -> Sql:
        """Give a term of ORDER BY in which NULL is the least."""
        ...
