"""Why a database cannot be opened, with advice that fits."""

import asyncio
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from nexus.cli.diagnosis import diagnose_data
from nexus.config import load_settings
from nexus.data.database import Limits
from nexus.errors import DatabaseUnavailable

LIMITS = Limits(pool_timeout=2.0)


async def failure(server: Any, **other: Any) -> DatabaseUnavailable:
    async with asyncio.timeout(10):
        with pytest.raises(DatabaseUnavailable) as caught:
            await server.make(server.url(**other), LIMITS).open()
    text = str(caught.value)
    assert "wrong secret" not in text + repr(caught.value.data)
    assert "correct horse" not in text + repr(caught.value.data)
    return caught.value


async def refusal(server: Any, **other: Any) -> str:
    """Give what is told of a server that was reached and lets nobody in."""
    error = await failure(server, **other)
    assert "server was reached, but" in str(error)
    assert not error.data["passing"]
    return str(error)


async def absence(server: Any, **other: Any) -> str:
    """Give what is told of a server that was not reached."""
    error = await failure(server, **other)
    assert "is not available" in str(error)
    assert error.data["passing"]
    return str(error)


async def test_the_right_user_is_let_in(server: Any) -> None:
    async with server.make(server.url(), LIMITS) as database:
        assert await database.check() > 0


async def test_a_wrong_password_is_told_and_not_shown(server: Any) -> None:
    text = await refusal(server, password="wrong secret")

    assert "password or the user was refused" in text
    assert "user and password in database.url" in text


async def test_an_unknown_user_is_told(server: Any) -> None:
    assert "Correct" in await refusal(server, user="nobody")


async def test_a_database_that_is_missing_is_told(server: Any) -> None:
    user = "postgres" if server.engine == "postgresql" else "root"
    text = await refusal(
        server, database="nothing", user=user, password="", host=str(server.folder)
    )

    assert "no such database" in text
    assert "CREATE DATABASE" in text


async def test_a_port_where_nothing_listens_is_told(server: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = await absence(server, port=free.getsockname()[1])

    assert "nothing listens there" in text
    assert "Start the server" in text


async def test_a_host_that_nobody_knows_is_told(server: Any) -> None:
    assert "host nowhere.invalid is not known" in await absence(server, host="nowhere.invalid")


async def test_something_that_listens_and_says_nothing_is_told(server: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        text = await absence(server, port=silent.getsockname()[1])

    assert "did not answer" in text


async def test_a_folder_without_a_socket_is_told(server: Any, tmp_path: Path) -> None:
    assert "no server's socket" in await absence(server, host=str(tmp_path))


async def test_the_folder_of_the_socket_may_take_the_place_of_the_host(server: Any) -> None:
    async with server.make(server.url(host=str(server.folder)), LIMITS) as database:
        assert await database.check() > 0


async def test_a_user_who_may_not_make_tables_is_told(server: Any) -> None:
    administrator = server.administrator("postgres" if server.engine == "postgresql" else "mysql")
    connection = await administrator.connect()
    try:
        await connection.execute("CREATE DATABASE bare", ())
        if server.engine == "mariadb":
            await connection.execute("GRANT SELECT ON bare.* TO nexus@'127.0.0.1'", ())
        text = await refusal(server, database="bare")
    finally:
        await connection.execute("DROP DATABASE bare", ())
        await connection.close()

    assert "GRANT" in text


async def test_a_value_of_many_megabytes_is_stored(server: Any) -> None:
    async with server.make(server.url(), LIMITS) as database:
        insert, kind = {
            "postgresql": ("INSERT INTO large VALUES ($1)", "BYTEA"),
            "mariadb": ("INSERT INTO large VALUES (%s)", "LONGBLOB"),
        }[server.engine]
        await database.execute("DROP TABLE IF EXISTS large")
        await database.execute(f"CREATE TABLE large (v {kind})")
        value = bytes(range(256)) * 80_000  # more than a packet of MariaDB's holds
        await database.execute(insert, (value,))

        assert (await database.fetch_one("SELECT v FROM large"))[0] == value
        assert [row[0] async for row in database.stream("SELECT v FROM large")] == [value]
        async with database.transaction() as transaction:
            [row] = await transaction.fetch_all("SELECT v, 1 FROM large")
            assert tuple(row) == (value, 1)
        await database.execute("DROP TABLE large")


@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
async def test_a_value_that_the_server_does_not_take_is_refused_before_it_is_sent(
    server: Any,
) -> None:
    async with server.make(server.url(), LIMITS) as database:
        await database.execute("CREATE TABLE IF NOT EXISTS large (v LONGBLOB)")
        async with database.transaction():
            await database.execute("INSERT INTO large VALUES (%s)", (b"small",))
            for call in (database.execute, database.execute_many):
                values: Any = (b"x" * 40_000_000,)
                with pytest.raises(DatabaseUnavailable, match="max_allowed_packet"):
                    await call(
                        "INSERT INTO large VALUES (%s)",
                        values if call == database.execute else [values],
                    )

        rows = await database.fetch_all("SELECT v FROM large")
        await database.execute("DROP TABLE large")
        assert [row[0] for row in rows] == [b"small"]


@pytest.mark.parametrize("other", [{"password": "wrong secret"}, {"database": "nothing"}], ids=str)
async def test_the_doctor_tells_a_refusal_in_the_same_words(
    server: Any, tmp_path: Path, other: dict[str, str]
) -> None:
    error = await failure(server, **other)
    where = server.url(**other)
    url = (
        f"{where.engine}://{where.user}:{quote(where.password)}@{where.host}:{where.port}"
        f"/{where.database}"
    )
    settings = load_settings(tmp_path, environ={}, overrides={"database": {"url": url}})

    [line] = [
        each
        for each in await asyncio.to_thread(diagnose_data, settings)
        if each.subject == "database"
    ]

    assert line.level == "error"
    assert line.message == str(error)
    assert "was reached, but" in line.message


async def test_a_password_that_is_changed_meanwhile_is_not_told_as_an_absence(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    change = {
        "postgresql": "ALTER USER nexus PASSWORD '{}'",
        "mariadb": "ALTER USER nexus@'127.0.0.1' IDENTIFIED BY '{}'",
    }[server.engine]
    administrator = server.administrator("postgres" if server.engine == "postgresql" else "mysql")
    connection = await administrator.connect()
    try:
        async with server.make(server.url(), LIMITS) as database:
            await connection.execute(change.format("another"), ())
            database.renew()
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable, match="password"):
                    await database.check()
    finally:
        await connection.execute(change.format("correct horse"), ())
        await connection.close()

    assert caplog.messages == ["The database server was reached and refuses connections"]
