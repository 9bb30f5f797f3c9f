"""Pieces of SQL with their parameters, written once for all engines.

A `?` in the text is a parameter, which each engine's dialect turns into its own placeholder at the
end. Nothing that a caller gives becomes text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL.

    Attributes:
        text: With `?` for parameters, and no other `?`.
        parameters: In the order of the text.
    """

    text: str
    parameters: tuple[Any, ...] = ()


TRUE: Final = Sql("TRUE")
FALSE: Final = Sql("FALSE")


def fill(template: str, *parts: Any) -> Sql:
    """Put pieces, and as parameters any other values, in place of each `@` in a template."""
    texts = template.split("@")
    text = [texts[0]]
    parameters: list[Any] = []
    for part, following in zip(parts, texts[1:], strict=True):
        if type(part) is Sql:
            text.append(part.text)
            parameters += part.parameters
        else:
            text.append("?")
            parameters.append(part)
        text.append(following)
    return Sql("".join(text), tuple(parameters))


def both(parts: Sequence[Sql]) -> Sql:
    """Give what all of the pieces ask for; of none, everything."""
    return _joined(parts, " AND ", TRUE)


def either(parts: Sequence[Sql]) -> Sql:
    """Give what one of the pieces asks for; of none, nothing."""
    return _joined(parts, " OR ", FALSE)


def _joined(parts: Sequence[Sql], word: str, empty: Sql) -> Sql:
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    parameters = tuple(value for part in parts for value in part.parameters)
    return Sql(_balanced([part.text for part in parts], word), parameters)


def _balanced(texts: Sequence[str], word: str) -> str:
    """Join many in pairs of pairs: SQLite refuses expressions that nest 1000 deep, as chains do."""
    if len(texts) <= 8:  # noqa: PLR2004  a chain that anyone takes, and optimizers look through
        return f"({word.join(texts)})"
    half = len(texts) // 2
    return f"({_balanced(texts[:half], word)}{word}{_balanced(texts[half:], word)})"


def listed(values: Sequence[Any]) -> Sql:
    """Give a list of parameters in parentheses, for IN."""
    return Sql(f"({', '.join('?' * len(values))})", tuple(values))
