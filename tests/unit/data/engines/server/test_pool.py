import asyncio
from typing import Any

import pytest

from nexus.data.engines.server.pool import ConnectionPool
from nexus.errors import DatabaseClosed, DatabaseUnavailable


class Connection:
    """A connection to nothing."""

    def __init__(self) -> None:
        self.busy_since = 0.0
        self.is_patient = False
        self.is_open = True
        self.is_in_transaction = False
        self.settled = 0
        self.settling: asyncio.Event | None = None

    @property
    def is_clean(self) -> bool:
        return self.is_open and not self.is_in_transaction

    async def settle(self) -> None:
        self.settled += 1
        if self.settling is not None:
            await self.settling.wait()
        self.is_in_transaction = False

    def terminate(self) -> None:
        self.is_open = False

    async def close(self) -> None:
        self.is_open = False


class Server:
    """Lets connections in, or does not."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.is_up = True
        self.refuses = False
        self.gate: asyncio.Event | None = None

    async def connect(self) -> Any:
        if self.gate is not None:
            await self.gate.wait()
        if not self.is_up:
            raise DatabaseUnavailable(path="here", problem="down", advice="", refused=self.refuses)
        self.made.append(Connection())
        return self.made[-1]


@pytest.fixture
def server() -> Server:
    return Server()


def pool_of(server: Server, size: int = 2, patience: float = 5.0) -> ConnectionPool[Any]:
    return ConnectionPool(
        server.connect, (OSError, TimeoutError), location="here", size=size, patience=patience
    )


async def ticks(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_connection_is_made_when_it_is_needed_and_used_again(server: Server) -> None:
    pool = pool_of(server)
    assert server.made == []

    first = await pool.acquire()
    pool.give_back(first)

    assert await pool.acquire() is first
    assert len(server.made) == 1
    assert (len(pool.lent), len(pool.idle)) == (1, 0)


async def test_there_are_never_more_than_the_size(server: Server) -> None:
    pool = pool_of(server, size=3)

    async def use() -> None:
        connection = await pool.acquire()
        assert len(pool.lent) <= 3
        await asyncio.sleep(0)
        pool.give_back(connection)

    await asyncio.gather(*(use() for _ in range(50)))

    assert len(server.made) <= 3
    assert len(pool.idle) == len(server.made)
    assert not pool.lent
    assert pool.waiting == 0


async def test_callers_are_served_in_their_order(server: Server) -> None:
    pool = pool_of(server, size=1)
    connection = await pool.acquire()
    served: list[int] = []

    async def wait(number: int) -> None:
        mine = await pool.acquire()
        served.append(number)
        pool.give_back(mine)

    tasks = [asyncio.create_task(wait(number)) for number in range(5)]
    await ticks()
    assert pool.waiting == 5
    pool.give_back(connection)
    await asyncio.gather(*tasks)

    assert served == [0, 1, 2, 3, 4]


async def test_a_caller_without_a_connection_gives_up_in_time(server: Server) -> None:
    pool = pool_of(server, size=1, patience=0.05)
    await pool.acquire()

    with pytest.raises(DatabaseUnavailable, match="in use") as caught:
        await pool.acquire()
    assert pool.waiting == 0
    assert caught.value.data["passing"]


async def test_a_server_that_says_nothing_is_given_up_in_time(server: Server) -> None:
    pool = pool_of(server, patience=0.05)
    server.gate = asyncio.Event()

    with pytest.raises(DatabaseUnavailable, match="did not answer") as caught:
        await pool.acquire()
    assert caught.value.data["passing"]
    server.gate = None
    await pool.acquire()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("silent", "The database server cannot be reached"),
        ("down", "The database server cannot be reached"),
        ("refusing", "The database server was reached and refuses connections"),
    ],
)
async def test_what_became_of_a_server_is_logged_once_in_the_right_words(
    server: Server, trouble: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_of(server, patience=0.05)
    pool.drop(await pool.acquire())
    server.gate = asyncio.Event() if trouble == "silent" else None
    server.is_up = trouble == "silent"
    server.refuses = trouble == "refusing"
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await pool.acquire()
    server.gate, server.is_up = None, True
    for _ in range(2):
        pool.drop(await pool.acquire())

    assert caplog.messages == [told, "The database server is back"]


async def test_a_server_that_comes_back_and_refuses_is_logged_as_both(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_of(server)
    pool.drop(await pool.acquire())
    server.is_up = False
    for server.refuses in (False, True, False, True):
        with pytest.raises(DatabaseUnavailable):
            await pool.acquire()

    assert caplog.messages == [
        "The database server cannot be reached",
        "The database server was reached and refuses connections",
    ]


async def test_who_waits_may_try_when_another_one_failed_to_connect(server: Server) -> None:
    pool = pool_of(server, size=1)
    server.gate = asyncio.Event()
    server.is_up = False
    first = asyncio.create_task(pool.acquire())
    second = asyncio.create_task(pool.acquire())
    await ticks()
    server.gate.set()
    with pytest.raises(DatabaseUnavailable, match="down"):
        await first
    with pytest.raises(DatabaseUnavailable, match="down"):
        await second
    server.is_up = True

    assert await pool.acquire() is server.made[0]


@pytest.mark.parametrize("when", [0, 1, 2, 3])
async def test_a_caller_who_is_cancelled_takes_nothing_along(server: Server, when: int) -> None:
    pool = pool_of(server, size=1)
    connection = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await ticks(when)
    pool.give_back(connection)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert await pool.acquire() is connection
    pool.give_back(connection)
    assert (len(pool.lent), len(pool.idle), pool.waiting) == (0, 1, 0)


async def test_a_broken_connection_makes_room_for_who_waits(server: Server) -> None:
    pool = pool_of(server, size=1)
    connection = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await ticks()
    connection.terminate()
    pool.give_back(connection, cut_off=True)

    assert await waiting is server.made[1]


async def test_an_idle_connection_that_broke_is_replaced(server: Server) -> None:
    pool = pool_of(server, size=1)
    pool.give_back(await pool.acquire())
    server.made[0].terminate()

    assert await pool.acquire() is server.made[1]


async def test_a_connection_is_settled_before_it_is_lent_again(server: Server) -> None:
    pool = pool_of(server, size=1)
    connection = await pool.acquire()
    connection.is_in_transaction = True
    connection.settling = asyncio.Event()
    pool.give_back(connection)
    waiting = asyncio.create_task(pool.acquire())
    await ticks()
    assert not waiting.done()
    connection.settling.set()

    assert await waiting is connection
    assert connection.settled == 1


async def test_renewal_replaces_what_is_idle_and_what_comes_back(server: Server) -> None:
    pool = pool_of(server)
    lent, idle = await pool.acquire(), await pool.acquire()
    pool.give_back(idle)
    pool.renew()
    assert not idle.is_open
    assert lent.is_open
    pool.give_back(lent)
    assert not lent.is_open

    again = [await pool.acquire(), await pool.acquire()]
    for connection in again:
        pool.give_back(connection)

    assert [await pool.acquire(), await pool.acquire()] == again[::-1]


async def test_closing_waits_for_what_is_lent_and_refuses_newcomers(server: Server) -> None:
    pool = pool_of(server, size=1)
    connection = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await ticks()
    closing = asyncio.create_task(pool.close())
    await ticks()
    with pytest.raises(DatabaseClosed):
        await waiting
    with pytest.raises(DatabaseClosed):
        await pool.acquire()
    assert not closing.done()
    pool.give_back(connection)
    await closing

    assert not connection.is_open


async def test_closing_takes_what_does_not_come_back(server: Server) -> None:
    pool = pool_of(server, patience=0.05)
    connection = await pool.acquire()

    await pool.close()

    assert not connection.is_open
    assert not pool.lent


async def test_a_connection_that_is_made_while_the_pool_is_closed_is_dropped(
    server: Server,
) -> None:
    pool = pool_of(server)
    server.gate = asyncio.Event()
    waiting = asyncio.create_task(pool.acquire())
    await ticks()
    await pool.close()
    server.gate.set()

    with pytest.raises(DatabaseClosed):
        await waiting
    assert [each.is_open for each in server.made] == [False]


async def test_a_cancellation_that_a_driver_has_swallowed_is_made_good(server: Server) -> None:
    connect = server.connect

    async def swallow() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await connect()

    server.connect = swallow  # type: ignore[method-assign]  # as asyncio.wait_for does in 3.11
    pool = pool_of(server)
    caller = asyncio.create_task(pool.acquire())
    await ticks()
    caller.cancel()
    await asyncio.wait({caller})
    assert caller.cancelled()
    assert (len(pool.lent), len(pool.idle)) == (0, 1)
