import json
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from nexus.config import MASK, SecretMask
from nexus.data.json_text import check_json
from nexus.plugins.presentable import finite, presentable


class Code(IntEnum):
    PIN = 123456


class Rude:
    @override
    def __str__(self) -> str:
        raise RuntimeError("no")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(value=plain)
def test_plain_data_stays_as_it_is(value: Any) -> None:
    assert presentable(value) == value


def test_everything_else_becomes_something_that_json_can_carry() -> None:
    loop: list[Any] = []
    loop.append(loop)
    value = {
        1: float("nan"),
        "set": {1},
        "tuple": (1, 2),
        "time": datetime(2026, 1, 2, tzinfo=UTC),
        "rude": Rude(),
        "bytes": b"x",
        "surrogate": "\ud800",
        "loop": loop,
    }
    found = presentable(value)
    json.dumps(found, allow_nan=False).encode()
    assert found["1"] == "nan"
    assert (found["set"], found["tuple"]) == ([1], [1, 2])
    assert found["time"] == "2026-01-02T00:00:00+00:00"
    assert found["rude"] == "<Rude that cannot be shown: RuntimeError>"


def test_every_text_is_masked() -> None:
    found = presentable({"key s3cret": ["a s3cret", 1]}, lambda text: text.replace("s3cret", "*"))
    assert found == {"key *": ["a *", 1]}


def test_figures_are_finite_numbers() -> None:
    figures = {"a": 1, 2: 2.5, "b": True, "c": "x", "d": float("inf"), "e": None}
    assert finite(figures) == {"a": 1.0, "2": 2.5, "b": 1.0}
    assert finite("nothing") == {}


def test_a_number_that_is_a_secret_is_masked_and_no_other() -> None:
    mask = SecretMask()
    mask.add([123456, "77777", 2.71828, 1])
    value = [123456, 77777, 2.71828, 1, 1234567, True, Code.PIN]
    assert presentable(value, mask.apply) == [MASK, MASK, MASK, 1, 1234567, True, MASK]


def test_values_may_be_nested_as_deep_as_stored_ones() -> None:
    def nested(levels: int) -> Any:
        value: Any = "inside"
        for _ in range(levels):
            value = [value]
        return value

    check_json(nested(100))
    assert presentable(nested(100)) == nested(100)
    assert json.dumps(presentable(nested(101))) == "[" * 100 + '"..."' + "]" * 100


def test_what_contains_itself_many_times_over_ends() -> None:
    loop: list[Any] = []
    loop += [loop, loop, {"again": loop}]
    assert presentable(loop) == ["...", "...", {"again": "..."}]


def test_an_integer_too_long_for_json_is_told() -> None:
    assert presentable(10**5000) == "<int that cannot be shown>"
