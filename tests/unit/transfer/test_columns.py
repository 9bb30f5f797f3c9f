"""What columns take from a data file, by their type and the kind of database."""

import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from enum import Enum
from math import nan
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from typing_extensions import override

from nexus.transfer.columns import ColumnPlan, plan_column, stored_type
from nexus.transfer.values import Json
from nexus.transfer.wrong_type import WrongType

DIALECTS: dict[str, Any] = {
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]  # not annotated
    "mariadb": mysql.dialect(),
}


class Color(Enum):
    RED = "r"


class Secret(sa.TypeDecorator[str]):
    """Would show in plain what is stored encrypted."""

    impl = sa.String(100)
    cache_ok = True


class Guid(sa.TypeDecorator[UUID]):
    """The well-known recipe: a type of its own where there is one, text elsewhere."""

    impl = sa.CHAR(32)
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID())
        return dialect.type_descriptor(sa.CHAR(32))


def plan(type_: Any, engine: str = "sqlite") -> ColumnPlan:
    type_ = type_() if isinstance(type_, type) else type_
    return plan_column("c", type_, None, DIALECTS[engine])


NOON = datetime(2026, 1, 2, 12, 0)  # noqa: DTZ001
NOON_UTC = NOON.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "given", "taken"),
    [
        (sa.Boolean, 1, True),
        (sa.Integer, True, 1),
        (sa.Float, 1, 1.0),
        (sa.Float, Decimal("0.1"), 0.1),
        (sa.Numeric, 0.1, Decimal("0.1")),
        (sa.Numeric(asdecimal=False), Decimal("0.5"), 0.5),
        (sa.Uuid, str(UUID(int=1)), UUID(int=1)),
        (sa.Uuid(as_uuid=False), UUID(int=1), str(UUID(int=1))),
        (sa.CHAR(32), UUID(int=1), UUID(int=1).hex),
        (sa.String(36), UUID(int=1), str(UUID(int=1))),
        (sa.Enum(Color), "RED", "RED"),
        (sa.JSON, Json({"a": 1}), {"a": 1}),
        (sa.JSON, Json(None), sa.JSON.NULL),
        (sa.JSON, None, None),
        (sa.JSON, '{"a": 1}', {"a": 1}),
        (sa.Text, Json({"a": "ü"}), '{"a": "ü"}'),
        (sa.Interval, NOON, NOON - datetime(1970, 1, 1)),  # noqa: DTZ001
        (sa.DateTime, timedelta(days=1), datetime(1970, 1, 2)),  # noqa: DTZ001
        (sa.DateTime, NOON.replace(tzinfo=timezone(timedelta(hours=2))), NOON - timedelta(hours=2)),
        (sa.DateTime(timezone=True), NOON_UTC, NOON),
        (sa.Time, time(1), time(1)),
        (sa.Date, date(2026, 1, 1), date(2026, 1, 1)),
        (sa.LargeBinary, b"x", b"x"),
        (sa.types.NullType, "anything", "anything"),
    ],
    ids=repr,
)
def test_a_column_takes_what_another_database_has_in_its_place(type_, given, taken) -> None:
    found = plan(type_).parameter(given)
    assert type(found) is type(taken)
    assert found == taken


def test_a_time_zone_is_kept_where_there_is_one() -> None:
    column = plan(sa.DateTime(timezone=True), "postgresql")
    assert column.parameter(NOON_UTC) == NOON_UTC
    assert column.parameter(NOON) == NOON_UTC


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (sa.Boolean, 2),
        (sa.Boolean, "true"),
        (sa.Integer, "1"),
        (sa.Integer, 1.0),
        (sa.Float, "1"),
        (sa.Float, Decimal("0.1000000000000000000001")),
        (sa.Numeric, True),
        (sa.Numeric, "1"),
        (sa.Uuid, "x"),
        (sa.Uuid, 5),
        (sa.String, 5),
        (sa.String, b"x"),
        (sa.LargeBinary, "x"),
        (sa.JSON, {"a": 1}),
        (sa.JSON, "no json"),
        (sa.Date, NOON),
        (sa.DateTime, date(2026, 1, 1)),
        (sa.Time, "12:00"),
        (sa.Interval, 5),
        (sa.Integer, Json(5)),
    ],
    ids=repr,
)
def test_a_column_refuses_what_is_of_another_type(type_, given) -> None:
    with pytest.raises(WrongType, match=r"takes .*, and the file has"):
        plan(type_).parameter(given)


def test_sqlite_refuses_a_decimal_that_it_would_change() -> None:
    exact, inexact = Decimal("1234567.89"), Decimal("12345678901234567890.12")
    assert plan(sa.Numeric(30, 2)).parameter(exact) == exact
    with pytest.raises(
        WrongType, match=r" 12345678901234567890\.12, .*keep 1\.234567890123456"
    ) as told:
        plan(sa.Numeric(30, 2)).parameter(inexact)
    assert told.value.advice is not None
    assert "round such numbers to 15 significant digits" in told.value.advice
    for engine in ("postgresql", "mariadb"):
        assert plan(sa.Numeric(30, 2), engine).parameter(inexact) == inexact


def test_what_the_advice_for_decimals_says_works() -> None:
    chance = random.Random(7)  # noqa: S311  no secret
    column = plan(sa.Numeric)
    for _ in range(2000):
        digits = chance.randrange(10**29, 10**30)
        given = Decimal(digits).scaleb(chance.randrange(-250, 250), Context(prec=40))
        with pytest.raises(WrongType, match="would keep"):
            column.parameter(given)
        rounded = given.normalize(Context(prec=15))
        assert column.parameter(rounded) == rounded


@pytest.mark.parametrize("given", ["1e400", "1.5e-400", "1.2345678901234567e-310"])
def test_what_rounding_does_not_help_is_not_to_be_rounded(given: str) -> None:
    with pytest.raises(WrongType, match="SQLite") as told:
        plan(sa.Numeric).parameter(Decimal(given))
    assert told.value.advice is not None
    assert "round" not in told.value.advice
    assert "PostgreSQL or MariaDB" in told.value.advice


@pytest.mark.parametrize(
    ("type_", "given"), [(sa.Numeric, Decimal("NaN")), (sa.Float, nan), (sa.Numeric, nan)]
)
def test_sqlite_refuses_what_it_would_keep_as_null(type_, given) -> None:
    with pytest.raises(WrongType, match="in whose place SQLite keeps NULL"):
        plan(type_).parameter(given)
    assert plan(type_, "postgresql").parameter(given) != given  # as is the way of NaN


def test_a_decimal_that_would_be_rounded_is_refused() -> None:
    column = plan_column("c", mysql.DECIMAL(10, 0), sa.Numeric(), DIALECTS["mariadb"])
    assert column.parameter(Decimal("5.00")) == 5
    assert column.parameter(Decimal("5e3")) == 5000
    assert plan(sa.Numeric, "postgresql").parameter(Decimal("5.5")) == Decimal("5.5")
    with pytest.raises(WrongType, match=r"5\.5, and as DECIMAL\(10, 0\) it keeps 0 digits behind"):
        column.parameter(Decimal("5.5"))
    with pytest.raises(WrongType, match="keeps 2 digits"):
        plan(sa.Numeric(9, 2), "postgresql").parameter(1.125)


def test_sqlite_gives_decimals_as_the_plugin_sees_them() -> None:
    assert plan(sa.Numeric(10, 2)).form(1.1) == {"decimal": "1.10"}
    assert plan(sa.Numeric(10, 2)).form(2.675) == {"decimal": "2.67"}
    assert plan(sa.Numeric(10, 2)).form(1e20) == {"decimal": "100000000000000000000.00"}
    assert plan(sa.Numeric).form(0.1) == {"decimal": "0.1"}
    assert plan(sa.Numeric).form(3) == {"decimal": "3"}


def test_what_sqlite_gives_it_takes_again() -> None:
    column = plan(sa.Numeric(30, 20))
    for value in (0.1, 1 / 3, 123456789.1, 1e-9, -7.0):
        [text] = column.form(value).values()
        assert float(column.parameter(Decimal(text))) == value


def test_json_is_told_from_no_value() -> None:
    column = plan(sa.JSON)
    assert column.form(None) is None
    assert column.form("null") == {"json": None}
    assert column.form('{"a":1}') == {"json": {"a": 1}}
    assert column.form(5) == {"json": 5}  # which SQLite makes of a number
    assert getattr(column.writes, "none_as_null") is True  # noqa: B009


def test_what_is_stored_counts_and_not_what_a_type_makes_of_it() -> None:
    assert isinstance(plan(Secret).type, sa.String)
    assert isinstance(stored_type(Guid(), DIALECTS["postgresql"]), sa.Uuid)
    assert plan(Guid).parameter(UUID(int=1)) == UUID(int=1).hex
    assert plan(Guid, "postgresql").parameter(UUID(int=1).hex) == UUID(int=1)
    variant = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    assert isinstance(plan(variant, "postgresql").type, postgresql.JSONB)


def test_fractions_of_a_second_that_go_are_counted() -> None:
    moment = NOON.replace(microsecond=1)
    for found, kept in ((mysql.DATETIME(), 1), (mysql.DATETIME(fsp=6), 0)):
        column = plan_column("c", found, sa.DateTime(), DIALECTS["mariadb"])
        assert column.parameter(moment) == moment
        assert column.parameter(NOON) == NOON
        assert column.shortened == kept
    column = plan(sa.DateTime, "sqlite")
    column.parameter(moment)
    assert column.shortened == 0
