import pytest
from asyncmy.errors import (
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from nexus.data.engines.mariadb.errors import is_breakage, is_refusal, translated, unusable
from nexus.data.engines.mariadb.marks import is_preparable, question_marks
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable, TransactionReadOnly, UniqueViolation

URL = DatabaseUrl(engine="mariadb", host="here", port=1, password="secret", database="shop")


def told(error: Exception) -> Exception:
    return translated(error, URL, statement_limit=30.0)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OperationalError(1021, "no"), "disk is full"),
        (OperationalError(1114, "The table is full"), "disk is full"),
        (OperationalError(1040, "no"), "too many connections"),
        (OperationalError(1203, "no"), "too many connections"),
        (OperationalError(1045, "no"), "password"),
        (OperationalError(1049, "no"), "no such database"),
        (OperationalError(1053, "bye"), "was lost"),
        (OperationalError(1927, "killed"), "was lost"),
        (OperationalError(2006, "gone"), "was lost"),
        (OperationalError(2013, "gone"), "was lost"),
        (InterfaceError(0, "Not connected"), "was lost"),
        (InternalError("Packet sequence number wrong"), "was lost"),
        (OperationalError(1969, "timeout"), "more than 30 s"),
        (OperationalError(3024, "timeout"), "more than 30 s"),
        (OperationalError(1213, "deadlock"), "give way"),
        (OperationalError(1205, "wait"), "stayed locked"),
        (OperationalError(1290, "read-only"), "takes no changes"),
        (OperationalError(2003, "no"), "cannot be reached"),
        (OperationalError(2026, "no"), "no encrypted connection"),
        (ConnectionResetError(104, "reset"), "was lost"),
    ],
    ids=str,
)
def test_trouble_with_the_server_is_told_in_words(error: Exception, problem: str) -> None:
    found = told(error)

    assert isinstance(found, DatabaseUnavailable)
    assert problem in str(found)
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "message",
    [
        "Duplicate entry 'x' for key 'shop_by_name'",
        "Duplicate entry 'x' for key 'things.shop_by_name'",
        "Duplicate entry 'it's for key 'other'' for key 'shop_by_name'",
        "Duplicate entry 'two\nlines' for key 'shop_by_name'",
    ],
)
def test_a_unique_index_is_named(message: str) -> None:
    found = told(IntegrityError(1062, message))

    assert isinstance(found, UniqueViolation)
    assert found.data["constraint"] == "shop_by_name"


def test_a_change_where_none_is_allowed_is_told() -> None:
    assert isinstance(told(OperationalError(1792, "no")), TransactionReadOnly)


@pytest.mark.parametrize(
    "error",
    [
        ProgrammingError(1064, "syntax"),
        ProgrammingError("Expected 2 parameters, got 1"),
        OperationalError(1142, "denied"),
        ValueError("no"),
    ],
    ids=str,
)
def test_mistakes_of_the_caller_are_left_as_they_are(error: Exception) -> None:
    assert told(error) is error
    assert not is_breakage(error)


def test_a_missing_privilege_matters_where_the_platforms_tables_are_made() -> None:
    found = unusable(OperationalError(1142, "denied"), URL, statement_limit=30.0)

    assert isinstance(found, DatabaseUnavailable)
    assert "GRANT" in str(found)


def test_a_refusal_is_a_sign_of_life() -> None:
    assert is_refusal(OperationalError(1040, "no"))
    assert is_refusal(OperationalError(1045, "no"))
    assert not is_refusal(OperationalError(2003, "no"))
    assert not is_refusal(OSError())


def test_parameters_are_marked_as_the_server_wants_it() -> None:
    assert question_marks("SELECT %s, '50%%' LIKE %s") == "SELECT ?, '50%' LIKE ?"
    for wrong in ("LIKE 'a%'", "100% sure", "%(name)s"):
        with pytest.raises(ValueError, match="Write %% for a percent sign"):
            question_marks(wrong)


@pytest.mark.parametrize(
    ("statement", "prepares"),
    [
        ("SELECT x FROM t WHERE y = %s", True),
        ("insert into t values (%s)", True),
        ("SELECT x FROM information_schema.tables WHERE table_name = %s", False),
        ("SELECT x FROM mysql.user WHERE user = %s", False),
        ("SHOW TABLES LIKE %s", False),
        ("SET @x = %s", False),
    ],
)
def test_statements_about_the_servers_own_tables_are_not_prepared(
    statement: str, prepares: bool
) -> None:
    assert is_preparable(statement) is prepares
