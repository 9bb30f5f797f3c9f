"""The values of table rows as JSON, exactly.

What JSON has is written as it is. Everything else is an object with one member, whose name tells
the type:

    {"decimal": "1.10"}           {"datetime": "2026-11-22T09:41:00.000001+00:00"}
    {"date": "2026-11-22"}        {"time": "09:41:00"}
    {"interval": 90000000}        microseconds
    {"uuid": "8a9d1a80-..."}      {"bytes": "AAEC"}, in base64
    {"float": "nan"}              nan, inf or -inf
    {"json": {"a": 1}}            the value of a JSON column
    {"list": [1, 2]}              an array of such values
"""

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Json:
    """The value of a JSON column, so that a JSON null is told from a missing value."""

    value: Any


class NoSuchForm(ValueError):
    """A value that has no form in a data file, or a form that is none."""


def encode_value(value: Any) -> Any:
    """Give a value in the form of a data file.

    Raises:
        NoSuchForm: It has none.
    """
    encode = _ENCODE.get(type(value))
    if encode is None:
        encode = _inherited(value)
    return encode(value)


def decode_value(form: Any) -> Any:
    """Give the value that a form in a data file stands for.

    Raises:
        NoSuchForm: It stands for none.
    """
    if type(form) is not dict:
        if type(form) is list:
            message = "a list without {'list': ...} around it"
            raise NoSuchForm(message)
        return form
    if len(form) != 1:
        message = f"an object with {len(form)} members where one tells the type"
        raise NoSuchForm(message)
    [(kind, content)] = form.items()
    decode = _DECODE.get(kind)
    if decode is None:
        message = f"a value of the unknown type {kind!r}"
        raise NoSuchForm(message)
    try:
        return decode(content)
    except (ValueError, TypeError, OverflowError, InvalidOperation) as error:
        message = f"no value of the type {kind!r}: {error}"
        raise NoSuchForm(message) from error


def _same(value: Any) -> Any:
    return value


def _float(value: float) -> Any:
    return value if math.isfinite(value) else {"float": repr(float(value))}


def _bytes(value: Any) -> Any:
    return {"bytes": base64.b64encode(value).decode("ascii")}


def _list(value: Any) -> Any:
    return {"list": [encode_value(part) for part in value]}


_ENCODE: Final[Mapping[type, Callable[[Any], Any]]] = {
    type(None): _same,
    bool: _same,
    int: _same,
    str: _same,
    float: _float,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    Decimal: lambda value: {"decimal": str(value)},
    # A datetime is a date too, and comes before it.
    datetime: lambda value: {"datetime": value.isoformat()},
    date: lambda value: {"date": value.isoformat()},
    time: lambda value: {"time": value.isoformat()},
    timedelta: lambda value: {"interval": value // _MICROSECOND},
    UUID: lambda value: {"uuid": str(value)},
    Json: lambda value: {"json": value.value},
    list: _list,
    tuple: _list,
}

_PLAIN: Final[tuple[Any, ...]] = (int, str, float)


def _inherited(value: Any) -> Callable[[Any], Any]:
    """Give the way of a subclass, such as a driver's own UUID."""
    for kind in _PLAIN:
        if isinstance(value, kind):
            return lambda each: encode_value(kind(each))
    for kind, encode in _ENCODE.items():
        if isinstance(value, kind):
            return encode
    message = f"a value of type {type(value).__module__}.{type(value).__qualname__}"
    raise NoSuchForm(message)


def _text(content: Any) -> str:
    if type(content) is not str:
        message = f"{type(content).__name__} where text was expected"
        raise TypeError(message)
    return content


def _interval(content: Any) -> timedelta:
    if type(content) is not int:
        message = f"{type(content).__name__} where a number of microseconds was expected"
        raise TypeError(message)
    return content * _MICROSECOND


def _special(content: Any) -> float:
    if content not in {"nan", "inf", "-inf"}:
        message = f"{content!r} is none of nan, inf and -inf"
        raise ValueError(message)
    return float(content)


def _parts(content: Any) -> list[Any]:
    if type(content) is not list:
        message = f"{type(content).__name__} where a list was expected"
        raise TypeError(message)
    return [decode_value(part) for part in content]


_DECODE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "decimal": lambda content: Decimal(_text(content)),
    "datetime": lambda content: datetime.fromisoformat(_text(content)),
    "date": lambda content: date.fromisoformat(_text(content)),
    "time": lambda content: time.fromisoformat(_text(content)),
    "interval": _interval,
    "uuid": lambda content: UUID(_text(content)),
    "bytes": lambda content: base64.b64decode(_text(content), validate=True),
    "float": _special,
    "json": Json,
    "list": _parts,
}
