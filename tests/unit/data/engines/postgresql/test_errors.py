from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has none
import pytest

from nexus.data.engines.postgresql.connection import _counting
from nexus.data.engines.postgresql.errors import is_refusal, translated, unusable
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable, TransactionReadOnly, UniqueViolation

URL = DatabaseUrl(engine="postgresql", host="here", port=1, password="secret", database="shop")


def told(error: Exception) -> Exception:
    return translated(error, URL, statement_limit=30.0)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (asyncpg.DiskFullError("no space"), "disk is full"),
        (asyncpg.OutOfMemoryError("no"), "out of memory"),
        (asyncpg.TooManyConnectionsError("no"), "too many connections"),
        (asyncpg.AdminShutdownError("bye"), "ended the connection"),
        (asyncpg.CrashShutdownError("bye"), "after a crash"),
        (asyncpg.CannotConnectNowError("wait"), "starting or stopping"),
        (asyncpg.InvalidPasswordError("no"), "password"),
        (asyncpg.InvalidCatalogNameError("no"), "no such database"),
        (asyncpg.QueryCanceledError("timeout"), "more than 30 s"),
        (asyncpg.DeadlockDetectedError("no"), "give way"),
        (asyncpg.ConnectionDoesNotExistError("gone"), "was lost"),
        (asyncpg.InterfaceError("connection is closed"), "was lost"),
        (asyncpg.InternalClientError("odd"), "was lost"),
        (ConnectionResetError(104, "reset"), "was lost"),
        (TimeoutError(), "did not answer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_trouble_with_the_server_is_told_in_words(error: Exception, problem: str) -> None:
    found = told(error)

    assert isinstance(found, DatabaseUnavailable)
    assert problem in str(found)
    assert "secret" not in str(found)


def test_a_unique_index_is_named() -> None:
    error: Any = asyncpg.UniqueViolationError("duplicate key")
    error.constraint_name = "shop_by_name"

    found = told(error)

    assert isinstance(found, UniqueViolation)
    assert found.data["constraint"] == "shop_by_name"


def test_a_change_where_none_is_allowed_is_told() -> None:
    assert isinstance(told(asyncpg.ReadOnlySQLTransactionError("no")), TransactionReadOnly)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.PostgresSyntaxError("no"),
        asyncpg.UndefinedTableError("no"),
        asyncpg.InsufficientPrivilegeError("no"),
        asyncpg.DataError("no"),
        asyncpg.InterfaceError("another operation is in progress"),
        ValueError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_mistakes_of_the_caller_are_left_as_they_are(error: Exception) -> None:
    assert told(error) is error


def test_a_missing_privilege_matters_where_the_platforms_tables_are_made() -> None:
    found = unusable(asyncpg.InsufficientPrivilegeError("no"), URL, statement_limit=30.0)

    assert isinstance(found, DatabaseUnavailable)
    assert "GRANT" in str(found)


def test_a_refusal_is_a_sign_of_life() -> None:
    assert is_refusal(asyncpg.TooManyConnectionsError("no"))
    assert is_refusal(asyncpg.InvalidPasswordError("no"))
    assert not is_refusal(asyncpg.ConnectionDoesNotExistError("gone"))
    assert not is_refusal(OSError())


@pytest.mark.parametrize(
    ("statement", "counting"),
    [
        ("INSERT INTO a.t (x, y) VALUES ($1, $2)", None),
        ('insert into "t" values ($1);', None),
        ("INSERT INTO t VALUES ($1), ($2)", "INSERT INTO t VALUES ($1), ($2) RETURNING 1"),
        (
            "INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING",
            "INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1",
        ),
        ("UPDATE t SET x = $1; ", "UPDATE t SET x = $1 RETURNING 1"),
        ("DELETE FROM t WHERE x = $1 RETURNING x", "DELETE FROM t WHERE x = $1 RETURNING x"),
        ("CALL it($1)", None),
    ],
)
def test_a_statement_for_many_rows_is_written_so_that_it_counts(
    statement: str, counting: str | None
) -> None:
    assert _counting(statement) == counting
