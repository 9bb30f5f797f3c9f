"""How the values of one column go into a data file and come out of it, on each engine.

What a column is stored as counts, not what a type of the plugin's own makes of it: an encrypted
column stays encrypted, and a class of the plugin's need not be known. Dates without a time zone in
a column that has one are in UTC.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import types as sql
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.sqltypes import _AbstractInterval, _Binary
from sqlalchemy.types import TypeEngine
from typing_extensions import TypeIs

from nexus.transfer.decimals import (
    check_is_kept,
    check_is_number,
    check_scale,
    decimal_form,
    is_double,
)
from nexus.transfer.values import Json, encode_value
from nexus.transfer.wrong_type import WrongType

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  where SQLAlchemy's Interval begins
_WHOLE_SECONDS: Final = frozenset({"mysql", "mariadb"})
"""Where times keep whole seconds unless their type says otherwise."""

_HEX: Final = 32
"""Characters of a UUID without dashes, as SQLAlchemy keeps it where there is no such type."""


@dataclass(slots=True, kw_only=True, eq=False)
class ColumnPlan:
    """One column.

    Attributes:
        name: Its name in the database.
        type: What it is stored as.
        keeps_fractions: Whether it keeps fractions of a second, if it keeps times at all.
        scale: How many digits behind the point the database keeps of a decimal number; None for as
            many as there are.
        described: The type that the database has, as SQL writes it.
        reads: What SELECT is told that it is.
        writes: What INSERT is told that it is.
        shortened: How many values lost fractions of a second that the column does not keep.
    """

    name: str
    type: TypeEngine[Any]
    keeps_fractions: bool
    scale: int | None
    described: str
    reads: TypeEngine[Any]
    writes: TypeEngine[Any]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    shortened: int = field(default=0)

    def form(self, value: Any) -> Any:
        """Give what the file says for a value that SELECT gave.

        Raises:
            NoSuchForm: There is no way to write it.
        """
        return None if value is None else self.encode(value)

    def parameter(self, value: Any) -> Any:
        """Give what INSERT takes for a value from the file.

        Raises:
            WrongType: The column cannot take it.
        """
        return None if value is None else self.decode(value)


def plan_column(
    name: str, found: TypeEngine[Any], model: TypeEngine[Any] | None, dialect: Dialect
) -> ColumnPlan:
    """Plan a column.

    Args:
        name: Its name in the database.
        found: The type that it has there.
        model: The type that the plugin's model gives it, which tells more.
        dialect: The database's.
    """
    stored = stored_type(found if model is None else model, dialect)
    reads = writes = stored
    encode: Callable[[Any], Any] = encode_value
    if isinstance(stored, sql.JSON):
        reads, encode = sql.Text(), _json_form
        writes = stored.copy()
        writes.none_as_null = True  # None is NULL then
    elif isinstance(stored, sql.Enum):
        reads = sql.String()
    elif isinstance(stored, sql.Float):
        reads = sql.NullType()  # MariaDB's would make decimals of floating-point numbers
    elif dialect.name == "sqlite" and _is_decimal(stored):
        reads, encode = sql.NullType(), decimal_form(getattr(stored, "scale", None))
    plan = ColumnPlan(
        name=name,
        type=stored,
        keeps_fractions=dialect.name not in _WHOLE_SECONDS or bool(getattr(found, "fsp", None)),
        scale=found.scale if dialect.name != "sqlite" and _is_decimal(found) else None,
        described=_described(found, dialect),
        reads=reads,
        writes=writes,
        encode=encode,
        decode=_as_it_is,
    )
    plan.decode = _decoder(plan, dialect)
    return plan


def stored_type(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """Give the type of what is stored, for one of the plugin's own or one with variants."""
    while True:
        # There is no public way to ask for a variant.
        type_ = getattr(type_, "_variant_mapping", {}).get(dialect.name, type_)
        if not isinstance(type_, sql.TypeDecorator) or isinstance(type_, sql.Interval):
            return type_
        type_ = type_.load_dialect_impl(dialect)


def _is_decimal(type_: TypeEngine[Any]) -> TypeIs[sql.Numeric[Decimal]]:
    return isinstance(type_, sql.Numeric) and type_.asdecimal


def _described(type_: TypeEngine[Any], dialect: Dialect) -> str:
    try:
        return str(type_.compile(dialect=dialect))
    except Exception:  # noqa: BLE001  it is for people only, and some types have no SQL
        return type(type_).__name__


# Out of the database


def _json_form(value: Any) -> Any:
    # SQLite turns a JSON number into one of its own, and the driver may have decoded it elsewhere.
    return encode_value(Json(json.loads(value) if isinstance(value, str | bytes) else value))


# Into the database


def _decoder(plan: ColumnPlan, dialect: Dialect) -> Callable[[Any], Any]:
    for kind, make in _DECODERS:
        if isinstance(plan.type, kind):
            return make(plan, dialect)
    return lambda value: value.value if isinstance(value, Json) else value


def _as_it_is(value: Any) -> Any:
    return value


def _wrong(expected: str, value: Any) -> WrongType:
    kind = "JSON" if isinstance(value, Json) else type(value).__name__
    return WrongType(f"takes {expected}, and the file has {kind}")


def _of_json(_plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if isinstance(value, str):  # from a database that has no such type
            try:
                value = Json(json.loads(value))
            except ValueError:
                raise _wrong("JSON", value) from None
        if not isinstance(value, Json):
            raise _wrong("JSON", value)
        return sql.JSON.NULL if value.value is None else value.value

    return decode


def _of_boolean(_plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if type(value) is bool or (type(value) is int and value in (0, 1)):
            return bool(value)
        raise _wrong("true or false", value)

    return decode


def _of_integer(_plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if isinstance(value, int):
            return int(value)
        raise _wrong("an integer", value)

    return decode


def _of_float(_plan: ColumnPlan, dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if type(value) in (int, float) or (type(value) is Decimal and is_double(value)):
            if dialect.name == "sqlite":
                check_is_number(value)
            return float(value)
        raise _wrong("a floating-point number", value)

    return decode


def _of_decimal(plan: ColumnPlan, dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if type(value) is float:
            value = Decimal(repr(value))
        if type(value) not in (int, Decimal):
            raise _wrong("a number", value)
        decimal = Decimal(value)
        if dialect.name == "sqlite":
            check_is_number(decimal)
            check_is_kept(decimal)
        check_scale(decimal, plan.scale, plan.described)
        return decimal if _is_decimal(plan.type) else float(decimal)

    return decode


def _of_bytes(_plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if type(value) is bytes:
            return value
        raise _wrong("bytes", value)

    return decode


def _of_uuid(plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    as_uuid = getattr(plan.type, "as_uuid", True)

    def decode(value: Any) -> Any:
        try:
            found = value if isinstance(value, UUID) else UUID(value)
        except (ValueError, AttributeError, TypeError):
            raise _wrong("a UUID", value) from None
        return found if as_uuid else str(found)

    return decode


def _of_text(plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    length = getattr(plan.type, "length", None)

    def decode(value: Any) -> Any:
        if type(value) is str:
            return value
        if isinstance(value, UUID):  # to a database that has no such type
            return value.hex if length == _HEX else str(value)
        if isinstance(value, Json):
            return json.dumps(value.value, ensure_ascii=False)
        raise _wrong("text", value)

    return decode


def _of_interval(plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if isinstance(value, datetime):  # from a database that has no such type
            value = _without_zone(value) - _EPOCH
        if not isinstance(value, timedelta):
            raise _wrong("an interval", value)
        if value.microseconds and not plan.keeps_fractions:
            plan.shortened += 1
        return value

    return decode


def _of_datetime(plan: ColumnPlan, dialect: Dialect) -> Callable[[Any], Any]:
    has_zone = dialect.name == "postgresql" and getattr(plan.type, "timezone", False)

    def decode(value: Any) -> Any:
        if isinstance(value, timedelta):
            value = _EPOCH + value
        if not isinstance(value, datetime):
            raise _wrong("a date with a time", value)
        if value.microsecond and not plan.keeps_fractions:
            plan.shortened += 1
        if has_zone:
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return _without_zone(value)

    return decode


def _without_zone(value: datetime) -> datetime:
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _of_kind(expected: str) -> Any:
    def make(plan: ColumnPlan, _dialect: Dialect) -> Callable[[Any], Any]:
        kind: type[Any] = plan.type.python_type

        def decode(value: Any) -> Any:
            if type(value) is not kind:
                raise _wrong(expected, value)
            if getattr(value, "microsecond", 0) and not plan.keeps_fractions:
                plan.shortened += 1
            return value

        return decode

    return make


_Make = Callable[[ColumnPlan, Dialect], Callable[[Any], Any]]

_DECODERS: Final[tuple[tuple[type, _Make], ...]] = (
    (sql.JSON, _of_json),
    (sql.Boolean, _of_boolean),
    (sql.Integer, _of_integer),
    (sql.Float, _of_float),
    (sql.Numeric, _of_decimal),
    (sql.Uuid, _of_uuid),
    (_Binary, _of_bytes),
    (sql.String, _of_text),
    (_AbstractInterval, _of_interval),
    (sql.DateTime, _of_datetime),
    (sql.Date, _of_kind("a date")),
    (sql.Time, _of_kind("a time")),
)
