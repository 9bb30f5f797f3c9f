"""Documents survive being text."""

# ruff: noqa: DTZ901 - datetimes without a zone are values here

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nexus.data.collections.document import MAX_NESTED, decode_document, encode_document
from nexus.data.collections.tagged import untagged_text
from nexus.errors import DocumentTooLarge, InvalidDocument

zones = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(1) / 3)]
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
marked = st.builds(
    "{}{}{}".format, st.sampled_from(["", "\x1f", "\x1f\x1f"]), st.sampled_from("sDJNTU\\"), texts
)
keys = texts.filter(lambda key: not key.startswith("$"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | marked
    | st.dates()
    | st.datetimes().map(lambda moment: moment.replace(fold=0))
    | st.datetimes(datetime.min + timedelta(2), datetime.max - timedelta(2), timezones=zones)
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def as_stored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_stored(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_stored(part) for part in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(fold=0)
    return value


def nested(value: Any, levels: int, *, in_lists: bool) -> dict[str, Any]:
    for level in range(levels):
        value = [value] if in_lists and level < levels - 1 else {"in": value, "\x1f": "\x1fs"}
    return {"top": value}


@given(
    document=st.dictionaries(keys, values, max_size=4),
    levels=st.integers(0, 80),
    in_lists=st.booleans(),
)
@example(document={}, levels=30, in_lists=True)  # two packed lists, and two strings with a mark
def test_a_document_comes_back_as_it_went_in(
    document: dict[str, Any], levels: int, in_lists: bool
) -> None:
    whole = nested(document, levels, in_lists=in_lists)

    text = encode_document(whole, max_bytes=1_000_000)

    assert repr(decode_document(text)) == repr(as_stored(whole))
    assert depth(json.loads(text)) <= MAX_NESTED


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, parts), default=0)
    return 0


def test_ordinary_documents_are_plain_json() -> None:
    document = {"a": [1, 1.5, None, True, "é\n"], "b": {"c": "$", "d": "\\u001f"}}

    assert json.loads(encode_document(document, max_bytes=1000)) == document


def test_dates_and_uuids_sort_as_text() -> None:
    days = [date(1, 1, 1), date(2026, 1, 2), date(2026, 11, 1), date(9999, 12, 31)]

    texts = [json.loads(encode_document({"d": day}, max_bytes=100))["d"] for day in days]

    assert texts == sorted(texts)
    assert texts[1] == "\x1fD2026-01-02"


def test_what_contains_itself_is_refused_at_once() -> None:
    circle: list[Any] = []
    circle += [circle, circle]

    with pytest.raises(InvalidDocument, match="100 levels"):
        encode_document({"a": circle}, max_bytes=1000)


def test_what_is_there_many_times_over_does_not_fill_the_memory() -> None:
    value: list[Any] = ["x"]
    for _ in range(60):
        value = [value, value]

    with pytest.raises(DocumentTooLarge):
        encode_document({"a": value}, max_bytes=100_000)


def test_text_that_stands_for_nothing_is_an_error() -> None:
    for text in ("\x1f", "\x1fX", "\x1fD2026-13-01", "\x1fUx"):
        with pytest.raises(ValueError, match=r"."):
            untagged_text(text)


def test_the_limit_is_in_bytes() -> None:
    assert encode_document({"a": "é"}, max_bytes=10) == '{"a":"é"}'
    with pytest.raises(DocumentTooLarge) as caught:
        encode_document({"a": "é"}, max_bytes=9)
    assert caught.value.size == 10
