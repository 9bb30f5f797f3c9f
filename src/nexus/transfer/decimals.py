"""Decimal numbers in databases that do not keep every one of them.

SQLite keeps them as floating-point numbers, and the others with so many digits behind the point.
"""

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from sys import float_info
from typing import Any, Final

from nexus.transfer.values import encode_value
from nexus.transfer.wrong_type import WrongType

_SURE_DIGITS: Final = 15
"""So many significant digits of a decimal number outlast being a floating-point number."""

_SHOWN: Final = 60
"""Characters of a value that a message shows."""


def decimal_form(scale: int | None) -> Callable[[Any], Any]:
    """Write what SQLite keeps as a floating-point number as the decimal that the plugin sees."""

    def form(value: Any) -> Any:
        if not isinstance(value, int | float):
            return encode_value(value)
        exact = Decimal(repr(value))
        if scale is not None and exact.is_finite():
            # Of more digits than were stored it would show what is between two such numbers.
            is_shorter = -int(exact.as_tuple().exponent) <= scale
            exact = Decimal(f"{exact if is_shorter else value:.{scale}f}")
        return encode_value(exact)

    return form


def is_double(value: Decimal) -> bool:
    """Tell whether a floating-point number is, as it is written, the same number."""
    return not value.is_finite() or Decimal(repr(float(value))) == value


def check_is_number(value: float | Decimal) -> None:
    """Refuse NaN, which SQLite does not have.

    Raises:
        WrongType: It is that.
    """
    if value != value:  # noqa: PLR0124  as only a NaN is
        problem = "takes numbers, and the file has NaN, in whose place SQLite keeps NULL"
        advice = (
            "Import it into PostgreSQL, which keeps NaN; or replace it where the data comes from,"
            " and export again."
        )
        raise WrongType(problem, advice)


def check_is_kept(value: Decimal) -> None:
    """Refuse a decimal number that becomes another one when SQLite keeps it.

    Raises:
        WrongType: It does.
    """
    if is_double(value):
        return
    kept = float(value)
    problem = (
        f"has the decimal number {_shown(value)}, and SQLite, which keeps floating-point numbers,"
        f" would keep {kept!r}"
    )
    advice = "Import it into PostgreSQL or MariaDB, which keep decimal numbers exactly"
    if isfinite(kept) and abs(kept) >= float_info.min:
        advice += (
            f"; or round such numbers to {_SURE_DIGITS} significant digits where the data comes"
            " from, and export again"
        )
    raise WrongType(problem, f"{advice}.")


def check_scale(value: Decimal, scale: int | None, described: str) -> None:
    """Refuse a decimal number that the database would round without a word.

    Args:
        value: The number.
        scale: How many digits behind the point the database keeps; None for any.
        described: The column's type, as SQL writes it.

    Raises:
        WrongType: It would be another one then.
    """
    exponent = value.as_tuple().exponent  # a letter for what is no number
    if scale is None or not isinstance(exponent, int) or -exponent <= scale:
        return
    if Decimal(f"{value:.{scale}f}") == value:
        return
    problem = (
        f"has the decimal number {_shown(value)}, and as {described} it keeps {scale} digits"
        " behind the point"
    )
    advice = (
        "Round such numbers where the data comes from, and export again; or give the column more"
        " digits with a migration of the plugin, there and here."
    )
    raise WrongType(problem, advice)


def _shown(value: Decimal) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
