"""A process that was frozen for longer than its lease finds that another has taken over."""

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest
from tests.acceptance.events.driver import PATIENCE, Crowd, Orders, Process, crowd
from tests.acceptance.events.evidence import Held, collect, prepare, read_leases
from tests.acceptance.events.process import opened

from nexus.data.database import Database
from nexus.errors import DatabaseUnavailable

_ROUNDS: Final = 4
_NAMES: Final = ("one", "two")

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("url", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_what_a_frozen_process_had_in_hand_goes_to_another_and_its_late_word_counts_no_more(
    url: str, tmp_path: Path, seed: int
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    prepare(url)
    orders = Orders(url=url, folder=str(notes), alone=False, shared=True, moment="handle", count=20)
    with crowd(orders, seed) as processes:
        first = processes.start(_NAMES[0])
        publisher = processes.start("publisher", handles=False, events=1_000_000, pause=0.1)
        assert first.hears(b"!")
        assert processes.start(_NAMES[1]).hears(b"r")
        taken = tried = 0
        while taken < _ROUNDS:
            tried += 1
            assert tried <= 6 * _ROUNDS, "nobody takes over"
            taken += asyncio.run(_freeze(url, _holder(processes)))
        publisher.stop_publishing()
        publisher.finish()
        for who in _NAMES:
            processes.alive[who].finish()

    found = collect(orders)
    found.check()


def _holder(processes: Crowd) -> Process:
    """Give who handles something at this moment, in the middle of which it is."""
    deadline = time.monotonic() + PATIENCE
    for who in _NAMES:
        processes.alive[who].forget(b"!")
    while time.monotonic() < deadline:
        for who in _NAMES:
            if processes.alive[who].hears(b"!", 0.05):
                return processes.alive[who]
    pytest.fail("nobody handles anything")


async def _freeze(url: str, holder: Process) -> bool:
    """Freeze who has the leases until the other has them; False if it cannot get them.

    A process that is frozen in the middle of a commit keeps the database's locks, and then nobody
    can take over from it, nor read on SQLite.
    """
    try:
        async with opened(url) as database:
            before = await read_leases(database)
            holder.stop()
            after = await _taken(database, before)
            holder.resume()
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
    except DatabaseUnavailable:
        return False
    finally:
        holder.resume()
    return True


async def _taken(database: Database, before: dict[str, Held]) -> dict[str, Held] | None:
    """Wait until one process that is alive has all subscriptions, and has taken some of them."""
    for _ in range(60):
        await asyncio.sleep(0.05)
        leases = await read_leases(database)
        holders = {each.worker for each in leases.values() if each.is_alive}
        is_one = len(holders) == 1 and all(each.is_alive for each in leases.values())
        if is_one and any(each.epoch > before[plugin].epoch for plugin, each in leases.items()):
            return leases
    return None
