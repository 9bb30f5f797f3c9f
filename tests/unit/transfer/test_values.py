import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.transfer.lines import line_of
from nexus.transfer.values import Json, NoSuchForm, decode_value, encode_value

VALUES = [
    None,
    True,
    0,
    2**80,
    -0.0,
    1e300,
    "",
    "Grüße \U0001f600 \x00",
    b"",
    bytes(range(256)),
    Decimal("1.10"),
    Decimal("-1E+30"),
    Decimal("NaN"),
    datetime(1, 1, 1),  # noqa: DTZ001
    datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    date(9999, 12, 31),
    time(23, 59, 59, 999999),
    timedelta(days=-3, microseconds=1),
    timedelta.max,
    UUID(int=5),
    Json(None),
    Json({"decimal": "not one", "a": [1, None, {"b": 2.5}]}),
    [1, [Decimal(2), None], []],
]


def carried(value: Any) -> Any:
    """Through the line of a file and back."""
    line = line_of({"row": [encode_value(value)]})
    assert line.count(b"\n") == 1
    return decode_value(json.loads(line)["row"][0])


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value) -> None:
    back = carried(value)
    assert type(back) is type(value)
    assert str(back) == str(value)
    if value == value:  # noqa: PLR0124  not NaN
        assert back == value


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(codec="utf-8"))
        | st.binary()
        | st.decimals(allow_nan=False)
        | st.datetimes(timezones=st.none() | st.just(UTC))
        | st.dates()
        | st.times()
        | st.timedeltas()
        | st.uuids(),
        st.lists,
        max_leaves=5,
    )
)
def test_any_value_comes_back_as_it_was(value) -> None:
    # No database keeps which of two times of a night it is.
    assert repr(carried(value)) == repr(value).replace(", fold=1", "")


def test_what_inherits_from_a_plain_type_is_written_as_that() -> None:
    class Level(IntEnum):
        HIGH = 3

    class Name(str):
        __slots__ = ()

    class OtherUuid(UUID):
        pass

    assert encode_value(Level.HIGH) == 3
    assert type(encode_value(Name("x"))) is str
    assert encode_value(OtherUuid(int=1)) == {"uuid": str(UUID(int=1))}
    assert encode_value((1, 2)) == {"list": [1, 2]}


@pytest.mark.parametrize("value", [Ellipsis, {"a": 1}, {1, 2}, 1j, [Ellipsis]], ids=repr)
def test_what_no_file_can_hold_is_refused(value) -> None:
    with pytest.raises(NoSuchForm, match="a value of type"):
        encode_value(value)


@pytest.mark.parametrize(
    "form",
    [
        [1],
        {},
        {"decimal": "1", "date": "2026-01-01"},
        {"decimal": 1},
        {"decimal": "one"},
        {"money": "1"},
        {"datetime": "yesterday"},
        {"date": None},
        {"time": "25:00"},
        {"interval": "1"},
        {"interval": True},
        {"interval": 10**30},
        {"uuid": "x"},
        {"bytes": "not base64!"},
        {"float": "1"},
        {"list": {"a": 1}},
        {"list": [{"x": 1}]},
    ],
    ids=repr,
)
def test_a_form_that_stands_for_nothing_is_refused(form) -> None:
    with pytest.raises(NoSuchForm):
        decode_value(form)
