"""Starts the processes of the proof, and kills them at random moments."""

import os
import random
import select
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from json import dumps
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pytest
from tests.acceptance.events.process import main

_FORKED: Final = get_context("forkserver")
_FORKED.set_forkserver_preload([main.__module__])
MOMENTS: Final = ("", "publish", "commit", "handle", "acknowledge")
"""When a process is killed; the first is any time."""
PATIENCE: Final = 180.0
_LATEST: Final = 0.006
"""Seconds after a moment until which a process is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a process is to do.

    Attributes:
        url: The database.
        folder: Where its notes go.
        engine: Where the events are, as `events.engine` has it.
        stream: What they are called there.
        who: What it is called; one process at a time has the name.
        first: The number of its first event.
        events: How many it publishes.
        seed: What its pauses come from.
        pause: The longest pause between two publications, in seconds.
        moment: The moment that it tells of; empty for none.
        count: The how manieth of them.
        handles: Whether it handles events.
        alone: Whether no other process uses the log.
        shared: Whether others may write to a database file.
        lease: Seconds until others take over what it has.
        when_away: What publishing does while the database is away.
        publish_timeout: Seconds that publishing waits for it.
        pool_timeout: Seconds that anything waits for it.
    """

    url: str
    folder: str
    engine: str = "sql"
    stream: str = "nexus"
    who: str = "one"
    first: int = 1
    events: int = 0
    seed: int = 0
    pause: float = 0.008
    moment: str = ""
    count: int = 0
    handles: bool = True
    alone: bool = True
    shared: bool = False
    lease: float = 0.3
    when_away: str = "fail"
    publish_timeout: float = 5.0
    pool_timeout: float = 5.0


class Process:
    """A process that has imported all and waits for its orders.

    Args:
        errors: Where its standard error goes.
    """

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        self._heard = b""
        orders, self._orders = _FORKED.Pipe(duplex=False)
        self._signs, signs = _FORKED.Pipe(duplex=False)
        self._process = _FORKED.Process(target=main, args=(orders, signs, str(errors)), daemon=True)
        self._process.start()
        orders.close()
        signs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def begin(self, orders: Orders) -> None:
        """Have it do something."""
        self._say(dumps(asdict(orders)))

    def hears(self, sign: bytes, seconds: float = PATIENCE) -> bool:
        """Wait until it has given a sign; False when it has not in time.

        Signs are `i` (all is imported), `r` (it runs), `p` (it has published everything) and `!`
        (the moment has come).
        """
        deadline = time.monotonic() + seconds
        while sign not in self._heard:
            if not self._read(deadline - time.monotonic()):
                return False
        return True

    def _read(self, seconds: float) -> bool:
        """Take the signs that are there, or that come in time; False when there are none."""
        if seconds < 0 or not select.select([self._signs], [], [], seconds)[0]:
            return False
        more = os.read(self._signs.fileno(), 100)
        if not more:
            pytest.fail(f"a process ended by itself:\n{self._errors.read_text()[-5000:]}")
        self._heard += more
        return True

    def forget(self, sign: bytes) -> None:
        """Wait for a sign anew: those that have come by now do not count."""
        while self._read(0):
            pass
        self._heard = self._heard.replace(sign, b"")

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.join()
        self._orders.close()
        self._signs.close()

    def stop(self) -> None:
        """Freeze it."""
        os.kill(self.pid, signal.SIGSTOP)
        state = Path(f"/proc/{self.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "T":  # it is no child of this one
            time.sleep(0.001)

    def resume(self) -> None:
        """Let it go on."""
        if self._process.is_alive():
            os.kill(self.pid, signal.SIGCONT)

    def stop_publishing(self) -> None:
        """Have it publish no more, whatever is left."""
        os.kill(self.pid, signal.SIGUSR1)

    def finish(self) -> None:
        """Let it handle all that waits, and end."""
        try:
            assert self.hears(b"p"), f"not all was published:\n{self._errors.read_text()[-5000:]}"
            self._say("")
            self._process.join(PATIENCE)
            code = self._process.exitcode
        finally:
            self.kill()
        assert code == 0, self._errors.read_text()[-5000:]

    def _say(self, line: str) -> None:
        os.write(self._orders.fileno(), f"{line}\n".encode())


class Crowd:
    """The processes of one proof, of which the next is always prepared.

    Args:
        orders: What all of them are to do.
        seed: What decides about their ends.

    Attributes:
        alive: Those that run, by their names.
        fates: The moments that they are killed at, and how many seconds later.
        kills: How many were killed at which moment.
    """

    def __init__(self, orders: Orders, seed: int) -> None:
        self.orders = orders
        self.alive: dict[str, Process] = {}
        self.fates: dict[str, tuple[str, float]] = {}
        self.kills: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._number = 1
        self._next: Process | None = None

    def start(self, who: str = "one", **orders: Any) -> Process:
        """Start a process that does what all do, and some of its own."""
        process = self._next or self._prepared()
        assert process.hears(b"i")
        given = replace(
            self.orders,
            who=who,
            first=self._number,
            seed=self._random.randrange(2**32),
            **orders,
        )
        self._number += given.events
        process.begin(given)
        self.alive[who] = process
        self._next = self._prepared()
        return process

    def begin_life(self, who: str, events: int) -> None:
        """Start a process that is to be killed at a moment that the seed decides about.

        Args:
            who: What it is called.
            events: How many it publishes.
        """
        moment = self._random.choice(MOMENTS)
        share = {"commit": 25, "publish": 3}.get(moment, 2)
        count = self._random.randint(1, max(1, events // share))
        self.fates[who] = moment, self._random.random() * _LATEST
        self.start(who, events=events, moment=moment, count=count)

    def end_life(self, who: str, longest: float) -> None:
        """Kill a process when its time has come.

        Args:
            who: Which one.
            longest: The most seconds that its moment is waited for once it runs. Where it is to
                die at any time, that may be before.
        """
        process, (moment, delay) = self.alive[who], self.fates[who]
        if not moment:
            delay *= longest / _LATEST
        elif not (process.hears(b"r") and process.hears(b"!", longest)):
            moment = ""
        time.sleep(delay)
        process.kill()
        del self.alive[who]
        self.kills[moment or "any time"] += 1

    def _prepared(self) -> Process:
        return Process(Path(self.orders.folder) / "errors.txt")

    def close(self) -> None:
        """End all of them."""
        for process in (*self.alive.values(), self._next):
            if process is not None:
                process.resume()
                process.kill()


@contextmanager
def crowd(orders: Orders, seed: int) -> Iterator[Crowd]:
    """Give what starts and kills processes; none of them outlives the block."""
    made = Crowd(orders, seed)
    try:
        yield made
    finally:
        made.close()
