"""Encrypted connections, as the URL wants them."""

import asyncio
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from nexus.data.database import Limits
from nexus.errors import DatabaseUnavailable

LIMITS = Limits(pool_timeout=5.0)
WITHOUT = {"postgresql": ["-c", "ssl=off"], "mariadb": ["--skip-ssl"]}


async def is_encrypted(server: Any, **other: Any) -> bool:
    async with server.make(server.url(**other), LIMITS) as database:
        if server.engine == "postgresql":
            row = await database.fetch_one(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            )
            return bool(row[0])
        row = await database.fetch_one("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return bool(row[1])


async def refusal(server: Any, **other: Any) -> str:
    with pytest.raises(DatabaseUnavailable) as caught:
        await is_encrypted(server, **other)
    return str(caught.value)


async def test_a_connection_is_encrypted_unless_that_is_not_wanted(server: Any) -> None:
    authority = str(server.folder / "authority.pem")

    assert await is_encrypted(server)
    assert await is_encrypted(server, tls="require")
    assert await is_encrypted(server, tls="require", tls_roots=authority)
    assert await is_encrypted(server, tls="verify-full", tls_roots=authority)
    assert not await is_encrypted(server, tls="disable")


async def test_a_certificate_of_nobody_known_is_refused(server: Any) -> None:
    text = await refusal(server, tls="verify-full")

    assert "certificate was refused" in text
    assert "sslrootcert" in text


async def test_a_certificate_for_another_host_is_refused(server: Any) -> None:
    authority = str(server.folder / "authority.pem")

    text = await refusal(server, tls="verify-full", tls_roots=authority, host="localhost")

    assert "certificate was refused" in text


async def test_a_server_that_does_not_encrypt_is_used_only_if_that_is_allowed(
    server: Any,
) -> None:
    server.stop()
    server.options = WITHOUT[server.engine]
    await server.start()

    assert not await is_encrypted(server)
    for mode in ("require", "verify-full"):
        text = await refusal(server, tls=mode)
        assert "no encrypted connection" in text


async def test_many_rows_are_stored_over_an_encrypted_connection(server: Any) -> None:
    async with server.make(server.url(tls="require"), LIMITS) as database:
        await database.execute("DROP TABLE IF EXISTS things")
        await database.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
        mark = "$1" if server.engine == "postgresql" else "%s"
        insert = "INSERT INTO things VALUES (?)".replace("?", mark)

        assert await database.execute_many(insert, [(number,) for number in range(5000)]) == 5000
        assert (await database.fetch_one("SELECT COUNT(*) FROM things"))[0] == 5000


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
async def test_a_missing_file_of_authorities_is_named_and_not_waited_for(
    server: Any, tmp_path: Path, mode: str
) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        await is_encrypted(server, tls=mode, tls_roots=str(tmp_path / "roots.pem"))

    assert "roots.pem, which sslrootcert in database.url names, was not found" in str(caught.value)
    assert not caught.value.data["passing"]


async def test_a_file_of_authorities_that_goes_away_does_not_cut_off_what_runs(
    server: Any, tmp_path: Path
) -> None:
    authority = Path(shutil.copy(server.folder / "authority.pem", tmp_path / "roots.pem"))
    where = server.url(tls="verify-full", tls_roots=str(authority))
    slow = {"postgresql": "SELECT 1 FROM pg_sleep(3)", "mariadb": "SELECT 1 + SLEEP(3)"}
    async with server.make(where, Limits(pool_timeout=2.0)) as database:
        running = asyncio.ensure_future(database.fetch_one(slow[server.engine]))
        await asyncio.sleep(0.1)
        authority.unlink()

        assert (await running)[0] == 1


async def test_a_long_stream_takes_little_memory_over_an_encrypted_connection(
    server: Any,
) -> None:
    query = {
        "postgresql": "SELECT x, REPEAT('x', 500) FROM generate_series(1, 100000) AS n(x)",
        "mariadb": "SELECT seq, REPEAT('x', 500) FROM seq_1_to_100000",
    }[server.engine]
    async with server.make(server.url(tls="require"), LIMITS) as database:
        tracemalloc.start()
        try:
            number = 0
            async for _ in database.stream(query):
                number += 1
                if number % 10_000 == 0:
                    await asyncio.sleep(0.01)  # time for the server to send ahead
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert number == 100_000
    assert peak < 5_000_000  # of fifty million bytes
