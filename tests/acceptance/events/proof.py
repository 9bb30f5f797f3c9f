"""Kills processes over and over, and holds what they did against what was promised."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.acceptance.events.driver import Orders, crowd
from tests.acceptance.events.evidence import Evidence, collect, count, prepare

_SPARE: Final = 1.4
"""A process publishes more than its share, since many are killed before they have done so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One run.

    Attributes:
        url: The database.
        folder: Where the notes go.
        engine: Where the events are, as `events.engine` has it.
        stream: What they are called there.
        seed: What decides about everything.
        kills: How many processes are killed.
        events: How many events are published, at least.
    """

    url: str
    folder: Path
    seed: int
    kills: int
    events: int
    engine: str = "sql"
    stream: str = "nexus"

    def of_one(self) -> Evidence:
        """Kill one process after another; the last one handles what is left."""
        share = int(self.events / self.kills * _SPARE)
        longest = 0.8 if self._is_file else 1.2
        with crowd(self._orders(alone=self._is_file), self.seed) as processes:
            for _ in range(self.kills):
                processes.begin_life("one", share)
                processes.end_life("one", longest)
            kills = processes.kills
            processes.start(events=self._missing()).finish()
        return collect(self._orders_of, kills)

    def of_two(self) -> Evidence:
        """Have two processes at once, and kill the one and the other in turn."""
        share = int(self.events / self.kills * _SPARE)
        names = ("one", "two")
        # Long enough for a machine that does other work, too: who comes late loses what it has.
        orders = replace(self._orders(alone=False), pause=0.03, lease=1.0)
        with crowd(orders, self.seed) as processes:
            for who in names:
                processes.begin_life(who, share)
            for number in range(self.kills):
                who = names[number % 2]
                processes.alive[who].forget(b"!")  # that was while the other one was killed
                processes.end_life(who, 0.8)
                if number < self.kills - 1:
                    processes.begin_life(who, share)
            processes.start(who, events=self._missing()).finish()
            for other in list(processes.alive):
                if other != who:
                    processes.alive[other].finish()
            kills = processes.kills
        return collect(self._orders_of, kills)

    @property
    def _is_file(self) -> bool:
        return self.url.startswith("sqlite")

    def _orders(self, *, alone: bool) -> Orders:
        print(f"seed {self.seed}")  # noqa: T201 - pytest shows it where a test fails
        self.folder.mkdir()
        prepare(self.url)
        return replace(self._orders_of, alone=alone, shared=not alone)

    @property
    def _orders_of(self) -> Orders:
        return Orders(url=self.url, folder=str(self.folder), engine=self.engine, stream=self.stream)

    def _missing(self) -> int:
        """Tell how many events were not published that should have been."""
        missing = self.events - count(self.folder, "acknowledged")
        return max(0, missing + missing // 8)  # some are rolled back
