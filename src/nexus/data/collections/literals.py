"""Scalars as the JSON text that documents have for them."""

from typing import Any

from nexus.data.collections.document import encode_json
from nexus.data.collections.numbers import number_literals
from nexus.data.collections.tagged import TAG, tagged_text


def stored(value: Any) -> Any:
    """Give the JSON value that stands for a scalar in a stored document."""
    kind = type(value)
    if kind is str:
        return tagged_text(value)
    return TAG[kind](value) if kind in TAG else value


def literals(value: Any) -> tuple[str, ...]:
    """Give all JSON texts that stand for a stored scalar and for what equals it."""
    if type(value) in (int, float):
        return number_literals(value)
    return (encode_json(value),)
