"""A process that publishes and handles events, and writes down what it did, until it is killed.

It is forked from a process that has imported what it needs, and waits for its orders, one line of
JSON, so that whoever kills and restarts it waits for no interpreter. Its notes are files that are
only ever appended to, with one system call a line: a kill leaves whole lines.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from nexus.config.event_engine import parse_engine
from nexus.data.database import DEFAULT_LIMITS, Database, Limits
from nexus.data.engines.opening import make_database
from nexus.data.url import parse_url
from nexus.errors import Unavailable
from nexus.events import BusSettings, Event, EventBus, SubscriptionOptions
from nexus.events.durable import DurableLog, Journal
from nexus.events.durable.dialect import Dialect
from nexus.events.engines.nats import NatsJournal
from nexus.events.engines.redis import RedisJournal
from nexus.events.engines.sql import SqlJournal
from nexus.events.log import LogSettings

SUBSCRIPTIONS: Final = {
    "books": "shop.**",
    "slow": "shop.sold",
    "stock": "shop.step",
    "picky": "shop.seen",
}
POISON: Final = 40
"""Every so many events are one that `picky` cannot handle."""
ATTEMPTS: Final = 2
KEYS: Final = 8
SETTINGS: Final = BusSettings(max_attempts=ATTEMPTS, retry_delay=0.002, retry_max_delay=0.01)
LETTERS: Final = 1_000_000
_TOGETHER: Final = 12
_PATIENCE: Final = 20.0


class Poisoned(Exception):
    """What the handler of `picky` raises."""


class RolledBack(Exception):
    """What a transaction ends with that is not to be."""


class Notes:
    """The files of facts.

    Args:
        folder: Where they are; other processes of the proof append to the same ones.
        who: What this process is called.
    """

    def __init__(self, folder: Path, who: str) -> None:
        self._folder = folder
        self._who = who
        self._files: dict[str, int] = {}
        self._position = 0
        self._rest = b""
        self._booked: set[int] = set()

    def add(self, kind: str, *words: object) -> None:
        """Append a fact."""
        file = self._files.get(kind)
        if file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            file = self._files[kind] = os.open(self._folder / kind, flags, 0o600)
        os.write(file, (" ".join(map(str, (self._who, *words))) + "\n").encode())

    def is_booked(self, number: int) -> bool:
        """Say whether `books` has handled an event by now, in whatever process."""
        with (self._folder / "handled").open("rb") as file:
            file.seek(self._position)
            text = self._rest + file.read()
            self._position = file.tell()
        *lines, self._rest = text.split(b"\n")
        for line in lines:
            _, subscription, booked, _ = line.split()
            if subscription == b"books":
                self._booked.add(int(booked))
        return number in self._booked


class Moments:
    """Tells the driver when a moment has come that it wants to kill the process at.

    Args:
        wanted: Which one.
        count: It tells each time that so many of them have come.
    """

    def __init__(self, wanted: str, count: int) -> None:
        self._wanted = wanted
        self._count = self._left = count

    def __call__(self, moment: str) -> None:
        if moment == self._wanted:
            self._left -= 1
            if self._left == 0:
                self._left = self._count
                os.write(1, b"!")


class Process:
    """What one process does.

    Args:
        orders: What the driver has sent; see `tests.acceptance.events.driver.Orders`.
        database: The database, open.
        bus: The bus, running.
        log: Its log.
    """

    def __init__(
        self, orders: dict[str, Any], database: Database, bus: EventBus, log: DurableLog
    ) -> None:
        self._who: str = orders["who"]
        self._notes = Notes(Path(orders["folder"]), f"{self._who}.{os.getpid()}")
        self._moment = Moments(orders["moment"], orders["count"])
        self._numbers = self._count(orders["first"], orders["events"])
        self._is_over = False
        self._pause: float = orders["pause"]
        self._random = random.Random(orders["seed"])  # noqa: S311 - no secret
        self._database = database
        self._bus = bus
        self._log = log
        self._insert = Dialect.of(database.engine)("INSERT INTO proof_rows (number) VALUES (?)")

    # Publishing

    def _count(self, first: int, events: int) -> Iterator[int]:
        for number in range(first, first + events):
            if self._is_over:
                return
            yield number

    def stop_publishing(self) -> None:
        """Use no more numbers."""
        self._is_over = True

    async def publish(self) -> None:
        """Publish in every way until all numbers are used."""
        keyed = (self._stepping(at) for at in range(0, KEYS, 2))
        await asyncio.gather(self._one_by_one(), self._at_once(), self._selling(), *keyed)

    async def _one_by_one(self) -> None:
        for number in self._numbers:
            await self._publish("shop.seen", number)
            await self._rest()

    async def _at_once(self) -> None:
        for number in self._numbers:
            numbers = [number, *islice(self._numbers, _TOGETHER)]
            await asyncio.gather(*(self._publish("shop.seen", each) for each in numbers))
            await self._rest()
            await self._rest()

    async def _stepping(self, at: int) -> None:
        """Publish events with two ordering keys, each key's one after another."""
        for number in self._numbers:
            await self._publish("shop.step", number, key=f"{self._who}-{at + number % 2}")
            await self._rest()

    async def _selling(self) -> None:
        """Publish in transactions that write a row; every fifth is rolled back."""
        for number in self._numbers:
            try:
                async with self._database.transaction() as transaction:
                    await transaction.execute(self._insert, (number,))
                    event = Event("shop.sold", {"number": number}, "shop")
                    await self._bus.deliver(event, transaction.after_commit)
                    self._roll_back_some(number)
                    self._moment("commit")
            except RolledBack:
                self._notes.add("rolled-back", number)
            except Unavailable:
                self._notes.add("refused", number, "shop.sold")
            else:
                self._notes.add("acknowledged", number, event.id)
            await self._rest()

    @staticmethod
    def _roll_back_some(number: int) -> None:
        if number % 5 == 0:
            raise RolledBack

    async def _publish(self, name: str, number: int, key: str | None = None) -> None:
        self._moment("publish")
        try:
            event = await self._bus.publish(
                name, {"number": number}, source="shop", ordering_key=key
            )
        except Unavailable:
            self._notes.add("refused", number, name)
        else:
            self._notes.add("acknowledged", number, event.id)

    async def _rest(self) -> None:
        await asyncio.sleep(self._random.random() * self._pause)

    # Handling

    def subscribe(self) -> None:
        """Handle what there is."""
        options = {
            "stock": SubscriptionOptions(concurrency=KEYS),
            "picky": SubscriptionOptions(max_attempts=ATTEMPTS),
        }
        work = {"slow": self._sleep_a_little, "stock": self._sleep_or_not, "picky": self._pick}
        self._bus.attach(
            [
                self._bus.subscription(
                    pattern,
                    self._handler(name, work.get(name)),
                    owner=name,
                    options=options.get(name),
                    durable=True,
                )
                for name, pattern in SUBSCRIPTIONS.items()
            ]
        )

    def _handler(self, subscription: str, work: Callable[[Event], Any] | None) -> Any:
        async def handle(event: Event) -> None:
            if work is not None:
                await work(event)
            self._moment("handle")
            self._notes.add("handled", subscription, event.data["number"], event.id)
            self._moment("acknowledge")

        return handle

    async def _sleep_a_little(self, _event: Event) -> None:
        await asyncio.sleep(0.002)

    async def _sleep_or_not(self, _event: Event) -> None:
        await asyncio.sleep(self._random.random() * 0.002)

    async def _pick(self, event: Event) -> None:
        """Fail with a poisoned event, but not before another subscription has handled it."""
        number = event.data["number"]
        if number % POISON:
            return
        self._notes.add("tried", number, event.id)
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while not self._notes.is_booked(number):
            if asyncio.get_running_loop().time() > deadline:
                self._notes.add("delayed", number, event.id)
                break
            await asyncio.sleep(0.002)
        raise Poisoned(number)

    async def until_drained(self) -> None:
        """Wait until nothing waits for anybody."""
        while await self._has_outbox() or any(each.waiting for each in await self._log.lag()):
            await asyncio.sleep(0.02)

    async def _has_outbox(self) -> bool:
        """Tell whether events of transactions are on their way, be it for a dead process."""
        if self._log.outbox is None:
            return False
        row = await self._database.fetch_one("SELECT count(*) FROM nexus_event_outbox")
        return bool(row[0])

    def note_figures(self) -> None:
        """Write down what the log has counted."""
        self._notes.add("figures", json.dumps(self._log.figures()).replace(" ", ""))


@asynccontextmanager
async def opened(
    url: str, limits: Limits = DEFAULT_LIMITS, *, shared: bool = True
) -> AsyncIterator[Database]:
    """Open a database."""
    database = make_database(parse_url(url), limits=limits, shared=shared)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def journal(engine: str, database: Database, stream: str) -> Journal:
    """Give the journal of an engine, as `events.engine` and `events.stream` name it."""
    where = parse_engine(engine)
    if where.kind == "nats":
        return NatsJournal(where, database, stream=stream)
    if where.kind == "redis":
        return RedisJournal(where, database, stream=stream)
    return SqlJournal(database)


async def run(orders: dict[str, Any]) -> None:
    """Do what the driver has ordered, and stay until the next line comes."""
    settings = LogSettings(
        lease=orders["lease"],
        alone=orders["alone"],
        when_away=orders["when_away"],
        publish_timeout=orders["publish_timeout"],
        dead_letter_limit=LETTERS,
    )
    limits = Limits(pool_timeout=orders["pool_timeout"])
    async with opened(orders["url"], limits, shared=orders["shared"]) as database:
        events = journal(orders["engine"], database, orders["stream"])
        log = DurableLog(database, events, settings, home=SqlJournal(database))
        async with EventBus(SETTINGS, log=log) as bus:
            for plugin, pattern in SUBSCRIPTIONS.items():
                await log.declare(plugin, [pattern])
            process = Process(orders, database, bus, log)
            if orders["handles"]:
                process.subscribe()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, process.stop_publishing)
            os.write(1, b"r")
            await process.publish()
            os.write(1, b"p")
            await asyncio.to_thread(sys.stdin.readline)
            await process.until_drained()
            process.note_figures()


def main(orders: Connection, signs: Connection, errors: str) -> None:
    """Do what is ordered.

    Args:
        orders: Where the orders come from, and later the word to end.
        signs: Where the driver is told how far it is.
        errors: The file for what goes wrong.
    """
    os.dup2(orders.fileno(), 0)
    os.dup2(signs.fileno(), 1)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 2)
    for signed in (orders, signs):  # so that the driver's end is the only one
        signed.close()
    sys.stdin = open(0)  # noqa: SIM115 - multiprocessing has put another one there
    os.write(1, b"i")
    if line := sys.stdin.readline():
        asyncio.run(run(json.loads(line)))
