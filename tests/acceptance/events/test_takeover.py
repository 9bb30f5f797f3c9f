"""A process that was frozen for longer than its lease finds that another has taken over."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from tests.acceptance.events.driver import Crowd, Orders, crowd
from tests.acceptance.events.evidence import Held, collect, prepare, read_leases
from tests.acceptance.events.process import opened

from nexus.data.database import Database

_ROUNDS: Final = 6
_NAMES: Final = ("one", "two")

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("url", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_what_a_frozen_process_had_in_hand_goes_to_another_and_its_late_word_counts_no_more(
    url: str, tmp_path: Path, seed: int
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    prepare(url)
    orders = Orders(
        url=url,
        folder=str(notes),
        alone=False,
        shared=True,
        events=1500,
        pause=0.1,
        moment="handle",
        count=20,
    )
    with crowd(orders, seed) as processes:
        first = processes.start(_NAMES[0])
        assert first.hears(b"!")
        assert processes.start(_NAMES[1]).hears(b"r")
        taken = sum(
            asyncio.run(_freeze(url, processes, number, tmp_path)) for number in range(_ROUNDS)
        )
        for who in _NAMES:
            processes.alive[who].finish()

    found = collect(url, notes)
    found.check()
    assert taken >= _ROUNDS // 2


async def _freeze(url: str, processes: Crowd, number: int, folder: Path) -> bool:
    """Freeze who has the leases until the other has them; False if it cannot get them.

    A process that is frozen in the middle of a transaction keeps the database's locks, and then
    nobody can take over from it.
    """
    frozen = processes.alive[_NAMES[number % 2]]
    frozen.forget(b"!")
    assert frozen.hears(b"!"), f"it handles nothing:\n{(folder / 'notes/errors.txt').read_text()}"
    async with opened(url) as database:
        before = await read_leases(database)
        frozen.stop()
        try:
            after = await _taken(database, before)
        finally:
            frozen.resume()
        if after is None:
            return False
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.5
        while loop.time() < until:  # it has said by then what it had to say
            now = await read_leases(database)
            for plugin, held in after.items():
                assert now[plugin].epoch >= held.epoch
                assert now[plugin].cursor >= held.cursor, f"{plugin} went back"
            after = now
    return True


async def _taken(database: Database, before: dict[str, Held]) -> dict[str, Held] | None:
    """Wait until a process that is alive has all subscriptions with new epochs."""
    for _ in range(100):
        await asyncio.sleep(0.05)
        leases = await read_leases(database)
        if all(
            each.is_alive and each.epoch > before[plugin].epoch for plugin, each in leases.items()
        ):
            return leases
    return None
