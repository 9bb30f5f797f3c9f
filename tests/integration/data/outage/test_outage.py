"""A server that stops, hangs or breaks connections: told in time, and over when it is over."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest

from nexus.data.engines.server.database import ServerDatabase
from nexus.errors import DatabaseUnavailable

PATIENCE = 4.0
"""Seconds in which a call has to be answered: the pool's two, and as many for a slow machine."""
RECOVERY = 5.0


def insert(database: ServerDatabase[Any]) -> str:
    if database.engine == "postgresql":
        return "INSERT INTO things VALUES ($1)"
    return "INSERT INTO things VALUES (%s)"


async def numbers(database: ServerDatabase[Any]) -> set[int]:
    return {row[0] for row in await database.fetch_all("SELECT id FROM things")}


async def refused(call: Callable[[], Awaitable[Any]]) -> DatabaseUnavailable:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DatabaseUnavailable) as caught:
            await call()
    assert "correct horse" not in str(caught.value) + repr(caught.value.data)
    return caught.value


async def recovered(database: ServerDatabase[Any]) -> None:
    """Wait until it works again, as the readiness check does."""
    async with asyncio.timeout(RECOVERY):
        while True:
            try:
                await database.check()
            except DatabaseUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


class Writers:
    """Write numbers for as long as the block lasts, and remember which were acknowledged."""

    def __init__(self, database: ServerDatabase[Any]) -> None:
        self._database = database
        self._tasks: list[asyncio.Task[None]] = []
        self.acknowledged: set[int] = set()
        self.errors: list[BaseException] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._write(n * 1_000_000)) for n in range(8)]
        while len(self.acknowledged) < 20:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, number: int) -> None:
        while True:
            number += 1
            try:
                if number % 2:
                    await self._database.execute(insert(self._database), (number,))
                else:
                    async with self._database.transaction():
                        await self._database.execute(insert(self._database), (number,))
            except DatabaseUnavailable as error:
                self.errors.append(error)
                await asyncio.sleep(0.02)
            else:
                self.acknowledged.add(number)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_server_that_ends_and_comes_back_loses_nothing_acknowledged(
    server: Any, database: ServerDatabase[Any], how: signal.Signals
) -> None:
    async with Writers(database) as writers:
        await asyncio.to_thread(server.stop, how)
        for call in (
            lambda: numbers(database),
            lambda: database.execute(insert(database), (-1,)),
            lambda: database.execute_many(insert(database), [(-1,)]),
            database.begin,
            database.check,
        ):
            await refused(call)
        await asyncio.sleep(1)
        before = len(writers.acknowledged)
        await server.start()
        await recovered(database)
        async with asyncio.timeout(RECOVERY):
            while len(writers.acknowledged) < before + 50:
                await asyncio.sleep(0.01)

    assert writers.acknowledged <= await numbers(database)
    assert -1 not in await numbers(database)


async def test_a_server_that_hangs_is_noticed_and_goes_on_afterwards(
    server: Any, database: ServerDatabase[Any]
) -> None:
    async with Writers(database) as writers:
        server.pause()
        before = len(writers.acknowledged)
        for call in (
            database.check,
            lambda: numbers(database),
            lambda: database.execute(insert(database), (-1,)),
            database.check,
        ):
            await refused(call)
        assert len(writers.acknowledged) <= before + 8
        server.resume()
        await recovered(database)
        async with asyncio.timeout(RECOVERY):
            while len(writers.acknowledged) < before + 50:
                await asyncio.sleep(0.01)

    assert writers.errors
    assert writers.acknowledged <= await numbers(database)


async def test_a_server_that_hangs_in_a_transaction_is_noticed_too(
    server: Any, database: ServerDatabase[Any]
) -> None:
    async def write() -> None:
        async with database.transaction():
            await database.execute(insert(database), (1,))
            server.pause()
            await database.execute(insert(database), (2,))

    await refused(write)
    server.resume()
    await recovered(database)

    assert await numbers(database) == set()
    await database.execute(insert(database), (1,))  # no lock is left


async def test_a_check_of_a_server_that_hangs_takes_two_seconds_at_most(
    server: Any, database: ServerDatabase[Any]
) -> None:
    server.pause()
    try:
        for _ in range(3):
            async with asyncio.timeout(3):
                with pytest.raises(DatabaseUnavailable):
                    await database.check()
    finally:
        server.resume()
    await recovered(database)


async def test_connections_that_are_killed_are_replaced(
    server: Any, database: ServerDatabase[Any]
) -> None:
    async with Writers(database) as writers:
        for _ in range(3):
            before = len(writers.acknowledged)
            await server.kill_connections()
            await recovered(database)
            async with asyncio.timeout(RECOVERY):
                while len(writers.acknowledged) < before + 50:
                    await asyncio.sleep(0.01)

    assert writers.acknowledged <= await numbers(database)
    assert database.figures()["pool_in_use"] + database.figures()["pool_idle"] <= 5


async def test_idle_connections_that_are_killed_are_not_lent_again(
    server: Any, database: ServerDatabase[Any]
) -> None:
    await asyncio.gather(*(database.fetch_one("SELECT 1") for _ in range(5)))
    await server.kill_connections()
    await asyncio.sleep(0.2)
    await server.start()  # PostgreSQL restarts its processes after that

    for number in range(10):
        await database.execute(insert(database), (number,))

    assert await numbers(database) == set(range(10))


async def test_a_transaction_that_loses_its_connection_stores_nothing(
    server: Any, database: ServerDatabase[Any]
) -> None:
    async def write() -> None:
        async with database.transaction():
            await database.execute(insert(database), (1,))
            async with database.transaction():
                await database.execute(insert(database), (2,))
                await server.kill_connections()
                await asyncio.sleep(0.2)
                await database.execute(insert(database), (3,))

    await refused(write)
    await recovered(database)

    assert await numbers(database) == set()
    assert database.figures()["pool_in_use"] == 0


async def test_a_stream_that_loses_its_connection_says_so(
    server: Any, database: ServerDatabase[Any]
) -> None:
    await database.execute_many(insert(database), [(number,) for number in range(50_000)])

    async def read() -> None:
        # More than the network and the driver hold.
        query = "SELECT id, REPEAT('x', 1000) FROM things ORDER BY id"
        async for row in database.stream(query, chunk=10):
            if row[0] == 20:
                await server.kill_connections()
                await asyncio.sleep(0.2)

    await refused(read)
    await recovered(database)
    assert len(await numbers(database)) == 50_000


@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
async def test_a_server_does_not_give_up_a_reader_who_takes_his_time(server: Any) -> None:
    server.stop()
    server.options = ["--net-write-timeout=1"]
    await server.start()
    query = "SELECT seq, REPEAT('x', 10000) FROM seq_1_to_5000"
    async with server.make(server.url()) as database:
        number = 0
        async for _ in database.stream(query, chunk=10):
            number += 1
            if number == 100:
                await asyncio.sleep(4)

    assert number == 5000


async def take_all(server: Any, connections: list[Any]) -> None:
    while True:
        connections.append(await server.make(server.url()).connect())


async def test_a_server_with_too_many_connections_says_so_and_recovers(
    server: Any, database: ServerDatabase[Any]
) -> None:
    lease = await database.begin()  # the only connection that the pool has
    connections: list[Any] = []
    try:
        with pytest.raises(DatabaseUnavailable, match="too many connections"):
            await take_all(server, connections)
        await refused(database.begin)
        await lease.rollback()
    finally:
        for connection in connections:
            connection.terminate()
    await recovered(database)


async def test_closing_does_not_wait_for_a_server_that_hangs(
    server: Any, database: ServerDatabase[Any]
) -> None:
    await asyncio.gather(*(database.fetch_one("SELECT 1") for _ in range(5)))
    server.pause()
    stuck = asyncio.ensure_future(database.fetch_all("SELECT id FROM things"))
    await asyncio.sleep(0.1)

    async with asyncio.timeout(PATIENCE + 4):
        await database.close()
    with pytest.raises(DatabaseUnavailable):
        await stuck
    server.resume()
