"""Numbers as JSON text and as bounds, so that comparing them in SQL is exact.

Integers of 64 bits and doubles are compared as what they are. Databases would turn one into the
other and round; here the bound is moved instead to where it makes no difference.
"""

import math
from typing import Final

from nexus.data.collections.filter import Operator

_MIN: Final = -(2**63)
_MAX: Final = 2**63 - 1
_TURNED_UP: Final[dict[Operator, Operator]] = {">": ">", ">=": ">", "<": "<=", "<=": "<="}
"""What a comparison is with the next number below, where the number itself cannot be."""


def number_literals(value: float) -> tuple[str, ...]:
    """Give all JSON texts that are stored for a number and for what equals it."""
    texts = []
    if value == int(value) and _MIN <= int(value) <= _MAX:
        texts.append(str(int(value)))
    double = float(value)
    if double == value:  # exact, as Python compares
        texts.append(repr(double + 0.0))
    if value == 0:
        texts.append("-0.0")
    return tuple(texts)


def double_bound(operator: Operator, value: float) -> tuple[Operator, float]:
    """Give a comparison for doubles with a double."""
    double = float(value)
    if double == value:
        return operator, double
    if double > value:
        double = math.nextafter(double, -math.inf)
    return _TURNED_UP[operator], double


def integer_bound(operator: Operator, value: float) -> tuple[Operator, int]:
    """Give a comparison for integers of 64 bits with such an integer."""
    below = math.floor(value)
    if below > _MAX:
        return ("<=", _MAX) if operator[0] == "<" else (">", _MAX)
    if below < _MIN:
        return (">=", _MIN) if operator[0] == ">" else ("<", _MIN)
    return (operator if below == value else _TURNED_UP[operator]), below
