"""Bounds and texts say the same about a number as Python does."""

import json
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.data.collections.filter import Operator
from nexus.data.collections.numbers import double_bound, integer_bound, number_literals

COMPARE: dict[Operator, Any] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
doubles = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**63), 2**63 - 1)
near = st.integers(-3000, 3000)
numbers = (
    doubles
    | integers
    | near.map(lambda n: 2**53 + n)
    | near.map(lambda n: float(2**53 + n))
    | near.map(lambda n: n / 2)
    | st.sampled_from([2.0**63, -(2.0**63), 2.0**64, -(2.0**64), 2**63 - 1, -(2**63), -0.0])
)


@given(numbers, numbers)
@pytest.mark.parametrize("name", COMPARE)
def test_a_bound_compares_as_the_number_does(name: Operator, value: float, bound: float) -> None:
    expected = COMPARE[name](value, bound)
    if isinstance(value, float):
        found, limit = double_bound(name, bound)
        assert isinstance(limit, float)
    else:
        found, limit = integer_bound(name, bound)
        assert isinstance(limit, int)
        assert -(2**63) <= limit < 2**63

    assert COMPARE[found](value, limit) is expected


@given(numbers, numbers)
def test_the_texts_of_a_number_are_those_of_what_equals_it(value: float, other: float) -> None:
    texts = number_literals(value)

    assert json.dumps(value) in texts
    assert (json.dumps(other) in texts) is (value == other)
