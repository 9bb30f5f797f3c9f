"""What processes have noted, held against what is in the database at the end."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.events.driver import Orders
from tests.acceptance.events.process import ATTEMPTS, POISON, SUBSCRIPTIONS, journal, opened

from nexus.data.database import Database
from nexus.events.durable.dialect import Dialect
from nexus.events.pattern import matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An event in the log."""

    position: int
    id: str
    name: str
    number: int
    key: str | None


class Letter(NamedTuple):
    """A dead letter."""

    number: int
    attempts: int
    reason: str

    @property
    def is_of_a_kill(self) -> bool:
        """Whether processes were killed so often while it was in hand that it was given up."""
        return self.reason == "crashed"


@dataclass(slots=True, kw_only=True)
class Evidence:
    """All that is known at the end of a proof.

    Attributes:
        log: The events of the log, by their numbers.
        rows: The numbers that transactions have written.
        letters: By subscription, number, attempts and reason of each dead letter.
        waiting: How many events wait, by subscription.
        acknowledged: The id of each event whose publication was acknowledged, by its number.
        rolled_back: The numbers whose transactions were rolled back.
        refused: The names of the events whose publication failed, by their numbers.
        handled: By subscription, number and id of each delivery, in order.
        tried: How often `picky` was given each poisoned event.
        delayed: Numbers that another subscription did not get while `picky` failed.
        figures: What processes have counted, added up.
        kills: How many processes were killed at which moment.
        has_gaps: Whether positions may be left out.
        twice: How many events a relay has put into the log once more.
    """

    log: dict[int, Stored] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    letters: dict[str, list[Letter]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[int, str] = field(default_factory=dict)
    rolled_back: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    handled: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    tried: Counter[int] = field(default_factory=Counter)
    delayed: set[int] = field(default_factory=set)
    figures: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    has_gaps: bool = False
    twice: int = 0

    def check(self) -> None:
        """Fail where a promise was broken."""
        self._check_publishing()
        for subscription, pattern in SUBSCRIPTIONS.items():
            wanted = {each.number for each in self.log.values() if matches(pattern, each.name)}
            self._check_deliveries(subscription, wanted)
        self._check_poisoned()
        assert set(self.waiting) == set(SUBSCRIPTIONS), "a subscription is gone"
        assert not any(self.waiting.values()), f"events still wait: {self.waiting}"

    def _check_publishing(self) -> None:
        lost = {number for number in self.acknowledged if number not in self.log}
        assert not lost, f"acknowledged and not in the log: {some(lost)}"
        changed = {n for n, id_ in self.acknowledged.items() if self.log[n].id != id_}
        assert not changed, f"in the log with another id: {some(changed)}"
        sold = {each.number for each in self.log.values() if each.name == "shop.sold"}
        assert not sold - self.rows, f"events without their rows: {some(sold - self.rows)}"
        assert not self.rows - sold, f"rows without their events: {some(self.rows - sold)}"
        assert not sold & self.rolled_back, f"rolled back and there: {some(sold)}"
        positions = sorted(each.position for each in self.log.values())
        if not self.has_gaps:
            assert positions == list(range(1, len(positions) + 1)), "positions have gaps"

    def _check_deliveries(self, subscription: str, wanted: set[int]) -> None:
        deliveries = self.handled[subscription]
        had = {number for number, _ in deliveries}
        dead = {letter.number for letter in self.letters[subscription]}
        lost = wanted - had - dead
        assert not lost, f"{subscription} has not had {some(lost)}, of {len(wanted)}"
        assert not had - wanted, f"{subscription} has had {some(had - wanted)}, not its own"
        first: dict[int, str] = {}
        for number, id_ in deliveries:
            first.setdefault(number, id_)
            assert id_ == self.log[number].id, f"{subscription} has had {number} as {id_}"
        last: dict[str | None, int] = {}
        at_once = subscription == "stock"
        for number in first:
            key = self.log[number].key if at_once else None
            position = self.log[number].position
            assert position > last.get(key, 0), f"{subscription} has had {number} late ({key})"
            last[key] = position

    def _check_poisoned(self) -> None:
        poisoned = {
            number
            for number, event in self.log.items()
            if event.name == "shop.seen" and number % POISON == 0
        }
        missing = poisoned - {letter.number for letter in self.letters["picky"]}
        assert not missing, f"poisoned and no dead letters: {some(missing)}"
        assert not {n for n, _ in self.handled["picky"]} & poisoned
        assert not self.delayed, f"others had to wait for {some(self.delayed)}"
        for subscription, letters in self.letters.items():
            times = Counter(letter.number for letter in letters)
            twice = [number for number, count in times.items() if count > 1]
            assert not twice, f"{subscription} has several dead letters for {some(twice)}"
            for letter in letters:
                if not letter.is_of_a_kill:
                    self._check_letter(subscription, letter, poisoned)

    def _check_letter(self, subscription: str, letter: Letter, poisoned: set[int]) -> None:
        assert subscription == "picky", f"{subscription} gave up {letter}"
        assert letter.number in poisoned, f"given up, and not poisoned: {letter}"
        assert letter.reason == "failed", letter
        assert letter.attempts == ATTEMPTS <= self.tried[letter.number], letter

    @property
    def duplicates(self) -> int:
        """How many deliveries were not the first of their event."""
        return sum(len(all_) - len(dict(all_)) for all_ in self.handled.values())

    def summary(self) -> dict[str, int]:
        """Give figures for people."""
        return {
            "kills": self.kills.total(),
            **{f"at {moment}": count for moment, count in sorted(self.kills.items())},
            "events in the log": len(self.log),
            "acknowledged": len(self.acknowledged),
            "not acknowledged, and there": len(self.log.keys() - self.acknowledged.keys()),
            "relayed once more": self.twice,
            "in transactions": len(self.rows),
            "rolled back": len(self.rolled_back),
            "refused": len(self.refused),
            "deliveries": sum(map(len, self.handled.values())),
            "delivered more than once": self.duplicates,
            "dead letters": sum(map(len, self.letters.values())),
            "of which processes were killed with too often": sum(
                each.is_of_a_kill for letters in self.letters.values() for each in letters
            ),
            "late acknowledgments refused": self.figures["refused_acknowledgements_total"],
        }


def some(numbers: Iterable[int]) -> str:
    """Give a few numbers and how many there are."""
    ordered = sorted(numbers)
    return f"{len(ordered)}: {ordered[:10]}"


def _lines(folder: Path, kind: str) -> Iterator[list[str]]:
    file = folder / kind
    if file.exists():
        text = file.read_text()
        assert text.endswith("\n"), f"the last line of {kind} is not whole"
        yield from (line.split()[1:] for line in text.splitlines())


def collect(orders: Orders, kills: Counter[str] | None = None) -> Evidence:
    """Read the notes, the database and the journal."""
    folder = Path(orders.folder)
    found = Evidence(kills=kills or Counter())
    for number, id_ in _lines(folder, "acknowledged"):
        found.acknowledged[int(number)] = id_
    found.rolled_back = {int(number) for (number,) in _lines(folder, "rolled-back")}
    found.refused = {int(number): name for number, name in _lines(folder, "refused")}
    found.delayed = {int(number) for number, _ in _lines(folder, "delayed")}
    for subscription, number, id_ in _lines(folder, "handled"):
        found.handled[subscription].append((int(number), id_))
    for number, _ in _lines(folder, "tried"):
        found.tried[int(number)] += 1
    for (figures,) in _lines(folder, "figures"):
        found.figures.update({name: int(value) for name, value in json.loads(figures).items()})
    asyncio.run(_read(orders, found))
    return found


async def _read_log(orders: Orders, database: Database, found: Evidence) -> list[Stored]:
    """Read the journal; behind an outbox, an event may be there twice."""
    events = journal(orders.engine, database, orders.stream)
    [owner] = await database.fetch_one("SELECT owner FROM nexus_event_journal")
    await events.open(owner)
    stored = []
    for event in await events.read(pattern="**", after=0, limit=10**9, newest=False):
        number = event.data["number"]
        each = Stored(
            position=event.position,
            id=event.id,
            name=event.name,
            number=number,
            key=event.ordering_key,
        )
        stored.append(each)
        first = found.log.setdefault(number, each)
        assert orders.engine != "sql" or first is each, f"{number} is in the log twice"
        assert first.id == each.id, f"{number} is in the log with two ids"
    await events.close()
    return stored


async def _read(orders: Orders, found: Evidence) -> None:
    async with opened(orders.url) as database:
        stored = await _read_log(orders, database, found)
        found.has_gaps = orders.engine != "sql"
        found.twice = len(stored) - len(found.log)
        found.rows = {row[0] for row in await database.fetch_all("SELECT number FROM proof_rows")}
        for plugin, data, attempts, reason in await database.fetch_all(
            "SELECT plugin, data, attempts, reason FROM nexus_event_letters"
        ):
            found.letters[plugin].append(Letter(json.loads(data)["number"], attempts, reason))
        for plugin, pattern, last, acknowledged in await database.fetch_all(
            "SELECT plugin, pattern, last_position, acknowledged FROM nexus_event_subscriptions"
        ):
            done = set(json.loads(acknowledged or "[]"))
            found.waiting[plugin] = sum(
                each.position > last and each.position not in done
                for each in stored
                if matches(pattern, each.name)
            )


def count(folder: Path, kind: str) -> int:
    """Tell how many facts of a kind have been noted by now."""
    file = folder / kind
    return file.read_bytes().count(b"\n") if file.exists() else 0


def wait_for(folder: Path, kind: str, more: int, seconds: float = 60.0) -> None:
    """Wait until so many more facts of a kind have been noted."""
    wanted, deadline = count(folder, kind) + more, time.monotonic() + seconds
    while count(folder, kind) < wanted:
        assert time.monotonic() < deadline, f"{kind}: {count(folder, kind)} of {wanted}"
        time.sleep(0.005)


def prepare(url: str) -> None:
    """Make the table that the transactions write to."""

    async def make() -> None:
        async with opened(url) as database:
            await database.execute("CREATE TABLE proof_rows (number BIGINT PRIMARY KEY)")

    asyncio.run(make())


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A subscription's row.

    Attributes:
        epoch: The number of its holder.
        cursor: Up to where it has stored that it has handled all.
        worker: The holder.
        is_alive: Whether the holder has reported in time.
    """

    epoch: int
    cursor: int
    worker: str | None
    is_alive: bool


async def read_leases(database: Database) -> dict[str, Held]:
    """Give the subscriptions' rows."""
    rows = await database.fetch_all(
        Dialect.of(database.engine)(
            "SELECT plugin, epoch, last_position, worker, COALESCE(alive_until > {now}, 1 = 0)"
            " FROM nexus_event_subscriptions LEFT JOIN nexus_workers"
            " ON nexus_workers.id = nexus_event_subscriptions.worker"
        )
    )
    return {
        plugin: Held(epoch=epoch, cursor=cursor, worker=worker, is_alive=bool(alive))
        for plugin, epoch, cursor, worker, alive in rows
    }
