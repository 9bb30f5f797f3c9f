"""JSON values as text that gives exactly the same values back.

Python's encoder quietly turns tuples into lists and numbers into keys, and writes NaN, which is no
JSON. Here such values are refused before anything is stored, with the path to the culprit.
"""

import json
from collections.abc import Callable, Iterator
from json import encoder as json_encoder
from typing import Any, Final, NoReturn, TypeAlias

from nexus.errors import NotJson, ValueTooLarge

JSON: TypeAlias = Any
"""None, a bool, an int, a finite float, a str, or a list or a str-keyed dict of these."""

MAX_DEPTH: Final = 100
MAX_BYTES: Final = 16 * 1024 * 1024

_NOT_JSON: Final = -1
_TOO_LARGE: Final = -2
_PLAIN: Final = frozenset({str, int, bool, type(None)})


def make_encoder(default: Callable[[Any], JSON] | None = None) -> Callable[[JSON], str]:
    """Make what writes values that have been checked as JSON text.

    Args:
        default: Gives what is written for a value of a type that JSON lacks.
    """
    settings = json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        check_circular=False,
        separators=(",", ":"),
        default=default,
    )
    # JSONEncoder.encode makes this for every call, which is half of the cost of a small value.
    make_encoder = getattr(json_encoder, "c_make_encoder", None)
    if make_encoder is None:
        return settings.encode
    sort_keys = skip_keys = allow_nan = False
    make_parts = make_encoder(
        None,
        settings.default,
        json_encoder.encode_basestring,
        None,
        ":",
        ",",
        sort_keys,
        skip_keys,
        allow_nan,
    )
    return lambda value: "".join(make_parts(value, 0))


_encode = make_encoder()


def encode(value: JSON, *, max_bytes: int = MAX_BYTES) -> str | bytes:
    """Give the text to store for a value.

    Args:
        value: A JSON value of exactly the types that JSON has; a subclass (an enum member, a
            defaultdict) would come back as something else and is refused.
        max_bytes: How many bytes of UTF-8 the text may take.

    Returns:
        A str, or bytes where the text has lone surrogates, which no database takes as text.

    Raises:
        NotJson: JSON cannot carry the value; the error has the path to the part at fault.
        ValueTooLarge: The text is longer than `max_bytes`.
    """
    check_json(value, max_bytes=max_bytes)
    try:
        text = _encode(value)
    except ValueError:
        raise NotJson(
            path="$", found="an integer of thousands of digits", hint="Store it as a string."
        ) from None
    if text.isascii():
        if len(text) > max_bytes:
            raise ValueTooLarge(size=len(text), limit=max_bytes)
        return text
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > max_bytes:
        raise ValueTooLarge(size=len(data), limit=max_bytes)
    try:
        data.decode()
    except UnicodeDecodeError:
        return data
    return text


def check_json(value: JSON, *, max_bytes: int = MAX_BYTES) -> None:
    """Refuse a value that JSON cannot carry, or that has more parts than fit into `max_bytes`.

    Raises:
        NotJson: As for `encode`.
        ValueTooLarge: As for `encode`, as far as it can be told without encoding.
    """
    # No part takes less than two bytes of text, a separator included.
    left = _parts_left(value, MAX_DEPTH, max_bytes // 2 + 1)
    if left == _TOO_LARGE:
        raise ValueTooLarge(size=None, limit=max_bytes)
    if left < 0:
        _refuse(value)


def decode(text: str | bytes) -> JSON:
    """Give the value back that `encode` made the text of, as a copy of its own."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogatepass")
    return json.loads(text)


def copied(value: JSON) -> JSON:
    """Give a copy that shares no list and no dict with the value, which `check_json` has passed."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    if kind is list:
        return [copied(item) for item in value]
    return value


def _parts_left(value: JSON, levels: int, left: int) -> int:  # noqa: C901, PLR0911, PLR0912  unrolled
    # Each write pays for this, so it has its two cases written out, and looks at most parts without
    # a call. Parts are counted since one that is there many times over could fill the memory.
    kind = type(value)
    if kind is dict:
        if not levels and value:
            return _NOT_JSON
        left -= len(value)
        if left < 0:
            return _TOO_LARGE
        for key, part in value.items():
            if type(key) is not str:
                return _NOT_JSON
            if type(part) in _PLAIN:
                continue
            left = _parts_left(part, levels - 1, left)
            if left < 0:
                return left
        return left
    if kind is list:
        if not levels and value:
            return _NOT_JSON
        left -= len(value)
        if left < 0:
            return _TOO_LARGE
        for part in value:
            if type(part) in _PLAIN:
                continue
            left = _parts_left(part, levels - 1, left)
            if left < 0:
                return left
        return left
    if kind in _PLAIN or (
        kind is float and value - value == 0.0
    ):  # NaN - NaN and inf - inf are NaN
        return left
    return _NOT_JSON


def _refuse(value: JSON) -> NoReturn:
    for path, part, depth in _walk(value):
        hint = objection(part, depth)
        if hint is not None:
            raise NotJson(path=path, found=describe(part), hint=hint)
    raise NotJson(path="$", found="a value that changed meanwhile", hint="Store a copy of it.")


def _walk(value: JSON) -> Iterator[tuple[str, Any, int]]:
    # Depth first: what contains itself twice would double the others at every level.
    waiting: list[tuple[str, Any, int]] = [("$", value, 0)]
    while waiting:
        path, part, depth = waiting.pop()
        yield path, part, depth
        parts: list[tuple[str, Any, int]] = []
        if type(part) is dict:
            parts = [(f"{path}.{key}", item, depth + 1) for key, item in part.items()]
        elif type(part) is list:
            parts = [(f"{path}[{i}]", item, depth + 1) for i, item in enumerate(part)]
        waiting.extend(reversed(parts))


_HINTS: Final[dict[type, str]] = {
    tuple: "Use a list; a tuple would come back as one.",
    set: "Use a list, sorted(value) for one.",
    frozenset: "Use a list, sorted(value) for one.",
    bytes: "Store text, base64.b64encode(value).decode() for one.",
    bytearray: "Store text, base64.b64encode(value).decode() for one.",
}


def objection(part: Any, depth: int) -> str | None:
    """Say what to do about a part that JSON cannot carry, its own parts aside; None if it can."""
    kind = type(part)
    if depth > MAX_DEPTH:
        return f"Values nest at most {MAX_DEPTH} levels deep, and none contains itself."
    if kind in _PLAIN or kind is list:
        return None
    if kind is dict:
        wrong = [key for key in part if type(key) is not str]
        return f"Write the key {wrong[0]!r} as a str." if wrong else None
    if kind is float:
        return None if part - part == 0.0 else "JSON has finite numbers only; use null."
    if hasattr(part, "isoformat"):
        return "Store text, value.isoformat() for one."
    return _HINTS.get(kind, _hint_for_others(part))


def _hint_for_others(part: Any) -> str:
    own: str | None = getattr(type(part), "storing_hint", None)
    if own is not None:
        return own
    for plain in (bool, int, float, str, list, dict):
        if isinstance(part, plain):
            return f"It would come back as a plain {plain.__name__}; convert it to one first."
    if hasattr(part, "model_dump"):
        return 'Store value.model_dump(mode="json").'
    return "Turn it into None, bool, int, float, str, list or dict first."


def describe(part: Any) -> str:
    """Say in words what a part that was refused is."""
    if type(part) is float:
        return repr(part)
    if type(part) is dict and any(type(key) is not str for key in part):
        return "a dict with a key that is no str"
    return f"a value of type {type(part).__qualname__}"
