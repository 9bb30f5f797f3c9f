"""What a filter asks for, once it has been read: conditions on paths, and their combinations.

A condition is about one value of a document, and compares within one type: 5 is above 4 and above
no string, True is not 1, and `None` stands for null and for nothing alike. What a negation wraps it
turns around, so that `$ne` matches documents without the field.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nexus.data.collections.path import Path

Operator: TypeAlias = Literal["=", ">", ">=", "<", "<="]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value equals another, or comes before or after it.

    Attributes:
        path: Where the value is.
        operator: How it compares.
        value: With what: a value of a document that is no list and no dict; None only for `=`.
    """

    path: Path
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Membership:
    """A value equals one of several."""

    path: Path
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Existence:
    """There is a value, be it null."""

    path: Path


@dataclass(frozen=True, slots=True)
class Containment:
    """A list has an element that equals a value, or a string has the value in it."""

    path: Path
    value: Any


@dataclass(frozen=True, slots=True)
class Conjunction:
    """All of several; of none, that is everything."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """One of several."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """Everything else."""

    part: "Filter"


Condition: TypeAlias = Comparison | Membership | Existence | Containment
Filter: TypeAlias = Condition | Conjunction | Disjunction | Negation

EVERYTHING = Conjunction(())
