"""Keys sort as the values do."""

# ruff: noqa: DTZ901 - datetimes without a zone are values here
import functools
import itertools
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.data.collections.key import MAX_KEY, encode_key, key_range

numbers = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-1030, 1030).map(lambda n: 2**53 + n)
    | st.integers(-1030, 1030).map(lambda n: float(2**53 + n))
    | st.integers(0, 3000).map(lambda n: 2**63 - 1 - n)
    | st.integers(0, 9).map(lambda n: 2.0**63 - 1024 * n)
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(timezones=st.just(UTC))


@given(numbers, numbers)
def test_numbers_of_both_kinds_sort_exactly(left: float, right: float) -> None:
    one, other = encode_key(left), encode_key(right)
    assert one is not None
    assert other is not None

    assert (one < other) == (left < right)
    assert (one == other) == (left == right)


@given(texts, texts)
def test_strings_sort_by_code_point(left: str, right: str) -> None:
    assert (encode_key(left) < encode_key(right)) == (left < right)  # type: ignore[operator]


@given(
    st.sampled_from([moments, st.dates(), st.uuids(), st.datetimes()]).flatmap(
        lambda kind: st.tuples(kind, kind)
    )
)
def test_dates_and_uuids_sort_as_python_sorts_them(pair: tuple[Any, Any]) -> None:
    left, right = pair

    assert (encode_key(left) < encode_key(right)) == (left < right)  # type: ignore[operator]
    assert (encode_key(left) == encode_key(right)) == (left == right)


def test_types_come_one_after_another() -> None:
    by_type: list[list[Any]] = [
        [False, True],
        [-(2**63), -1.5, 0, 2**63 - 1, 1.7976931348623157e308],
        ["", "\0", "\x1f", "a", "\U0010ffff"],
        [date.min, date.max],
        [datetime.min, datetime.max],
        [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
        [UUID(int=0), UUID(int=2**128 - 1)],
        [[], {}],
    ]
    keys = [[encode_key(value) or b"" for value in values] for values in by_type]

    assert encode_key(None) is None
    for lower, higher in itertools.pairwise(keys):
        assert max(lower) < min(higher)
    for values in keys:
        begin, end = key_range(values[0])
        assert all(begin <= key < end for key in values)
    for one, other in itertools.permutations(keys, 2):
        begin, end = key_range(one[0])
        assert not any(begin <= key < end for key in other)


def test_the_same_moment_in_two_zones_has_one_key() -> None:
    moment = datetime(2026, 1, 2, 3, tzinfo=UTC)

    assert encode_key(moment) == encode_key(moment.astimezone(timezone(timedelta(hours=5))))
    assert encode_key(moment) != encode_key(moment.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([1, True, "a"], [1.0, True, "a"], True),
        ([1], [True], False),
        ([[1], 2], [[1, 2]], False),
        (["a", "b"], ["ab"], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": {"b": 1}}, {"a": {}, "b": 1}, False),
        ([None], [], False),
        ([], {}, False),
        ([-0.0], [0], True),
        (["=2:"], [], False),
    ],
)
def test_lists_and_objects_have_the_same_key_when_they_are_equal(
    one: Any, other: Any, same: bool
) -> None:
    assert (encode_key(one) == encode_key(other)) is same


def test_a_key_of_700_bytes_of_text_is_as_long_as_a_key_may_be() -> None:
    assert len(encode_key("é" * 350) or b"") == MAX_KEY


@given(st.lists(numbers, max_size=20))
def test_a_list_sorted_by_keys_is_sorted(values: list[float]) -> None:
    by_key = sorted(values, key=lambda value: encode_key(value) or b"")

    assert by_key == sorted(values)


def test_neighbors_among_doubles_are_told_apart() -> None:
    def following(value: float) -> float:
        [bits] = struct.unpack(">q", struct.pack(">d", value))
        [result] = struct.unpack(">d", struct.pack(">q", bits + 1))
        return float(result)

    for value in (5e-324, 0.1, 1.0, 2.0**52, 2.0**53, 2.0**62):
        chain = functools.reduce(lambda found, _: [*found, following(found[-1])], range(9), [value])
        keys = [encode_key(each) or b"" for each in chain]
        assert keys == sorted(set(keys))
