"""Documents as the text that is stored, and back.

A document is JSON with dates and UUIDs in it (see `tagged`). Ordinary ones are checked by one walk
and written by Python's encoder in C; what is rare is looked for in the text.
"""

from collections.abc import Callable
from json import JSONDecoder
from typing import Any, Final

from nexus.data.collections.refusal import refuse
from nexus.data.collections.tagged import (
    MARK,
    MARK_IN_JSON,
    PACKED,
    TAG,
    tagged_text,
    untagged_text,
)
from nexus.data.json_text import MAX_DEPTH, make_encoder
from nexus.errors import DocumentTooLarge

MAX_NESTED: Final = 30
"""Levels of lists and objects in the stored text; MariaDB reads 31. Deeper ones are packed."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1

_PACKED_FROM: Final = MAX_DEPTH - MAX_NESTED
_REFUSED: Final = -1
_TOO_LARGE: Final = -2
_PLAIN: Final = frozenset({str, bool, type(None)})

encode_json = make_encoder(lambda value: TAG[type(value)](value))
"""Writes a value whose strings and nesting need nothing done to them."""

_scan: Callable[[str, int], tuple[Any, int]] = JSONDecoder().scan_once  # type: ignore[attr-defined]  # in C


def encode_document(document: Any, *, max_bytes: int) -> str:
    """Give the text to store for a document.

    Args:
        document: A dict of values as they are stored, without `_id` and `_version`.
        max_bytes: How many bytes of UTF-8 the text may take.

    Raises:
        InvalidDocument: It has a part that would not come back as it is, or no dict is given.
        DocumentTooLarge: The text is longer than `max_bytes`.
    """
    marks: list[Any] = []
    # No part takes less than two bytes of text, a separator included.
    left = _parts_left(document, MAX_DEPTH, max_bytes // 2 + 1, marks)
    if left == _TOO_LARGE:
        raise DocumentTooLarge(size=None, limit=max_bytes)
    if left < 0 or type(document) is not dict:
        refuse(document)
    try:
        text = encode_json(document)
        if marks or "\\u00" in text:
            text = _with_marks(document, text, marks)
    except OverflowError:  # a datetime that UTC cannot say
        refuse(document)
    if '"$' in text:
        refuse(document, unless_fine=True)
    size = len(text) if text.isascii() else _size(document, text)
    if size > max_bytes:
        raise DocumentTooLarge(size=size, limit=max_bytes)
    return text


def decode_document(text: str) -> dict[str, Any]:
    """Give the document back that `encode_document` made the text of."""
    document: dict[str, Any] = _scan(text, 0)[0]
    if MARK_IN_JSON in text:
        _untag(document)
    return document


def _parts_left(value: Any, levels: int, left: int, marks: list[Any]) -> int:  # noqa: C901, PLR0911, PLR0912  unrolled
    # Each write pays for this, so it has its two cases written out, and looks at most parts without
    # a call. Parts are counted since one that is there many times over could fill the memory.
    kind = type(value)
    if kind is dict:
        if levels <= _PACKED_FROM:
            marks.append(value)
            if not levels and value:
                return _REFUSED
        left -= len(value)
        if left < 0:
            return _TOO_LARGE
        for key, part in value.items():
            if type(key) is not str:
                return _REFUSED
            kind = type(part)
            if kind in _PLAIN or (kind is int and MIN_INTEGER <= part <= MAX_INTEGER):
                continue
            left = _parts_left(part, levels - 1, left, marks)
            if left < 0:
                return left
        return left
    if kind is list:
        if levels <= _PACKED_FROM:
            marks.append(value)
            if not levels and value:
                return _REFUSED
        left -= len(value)
        if left < 0:
            return _TOO_LARGE
        for part in value:
            kind = type(part)
            if kind in _PLAIN or (kind is int and MIN_INTEGER <= part <= MAX_INTEGER):
                continue
            left = _parts_left(part, levels - 1, left, marks)
            if left < 0:
                return left
        return left
    if kind is float and value - value == 0.0:  # NaN - NaN and inf - inf are NaN
        return left
    if kind in TAG:
        marks.append(value)
        return left
    return _REFUSED


def _size(document: dict[str, Any], text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        refuse(document)


def _with_marks(document: dict[str, Any], text: str, marks: list[Any]) -> str:
    """Give the text of a document that may have strings or parts which need something done.

    Args:
        document: The document.
        text: Its text, without that.
        marks: The dates and UUIDs in it, and the lists and objects that nest too deeply.
    """
    if "\\u0000" in text:
        refuse(document, unless_fine=True)
    # Each date and UUID is one mark; where there are others, a string may start with one.
    is_flat = all(type(each) in TAG for each in marks)
    if is_flat and text.count(MARK_IN_JSON) == len(marks):
        return text
    return encode_json(_tag(document, 0))


def _tag(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return tagged_text(value)
    if kind is dict or kind is list:
        tagged: Any
        if kind is dict:
            tagged = {key: _tag(part, depth + 1) for key, part in value.items()}
        else:
            tagged = [_tag(part, depth + 1) for part in value]
        return PACKED + encode_json(tagged) if depth == MAX_NESTED else tagged
    return TAG[kind](value) if kind in TAG else value


def _untag(value: Any) -> None:
    parts = value.items() if type(value) is dict else enumerate(value)
    for place, part in parts:
        kind = type(part)
        if kind is str:
            if part[:1] == MARK:
                value[place] = _untagged(part)
        elif kind is dict or kind is list:
            _untag(part)


def _untagged(text: str) -> Any:
    if not text.startswith(PACKED):
        return untagged_text(text)
    value = _scan(text, len(PACKED))[0]
    _untag(value)
    return value
