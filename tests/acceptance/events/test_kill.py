"""Events survive `kill -9`, whenever it comes."""

from pathlib import Path

import pytest
from tests.acceptance.events.proof import Proof

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("url", "kills", "events"),
    [("sqlite", 100, 20_000), ("postgresql", 100, 20_000), ("mariadb", 20, 4_000)],
    indirect=["url"],
)
def test_no_acknowledged_event_is_lost_however_often_the_process_is_killed(
    url: str, kills: int, events: int, tmp_path: Path, seed: int
) -> None:
    proof = Proof(url=url, folder=tmp_path / "notes", seed=seed, kills=kills, events=events)

    found = proof.of_one()

    found.check()
    assert found.kills.total() == kills
    assert len(found.log) >= events


@pytest.mark.parametrize(
    ("url", "kills"),
    [("sqlite", 20), ("postgresql", 20), ("mariadb", 10)],
    indirect=["url"],
)
def test_two_processes_that_are_killed_in_turn_lose_nothing(
    url: str, kills: int, tmp_path: Path, seed: int
) -> None:
    proof = Proof(url=url, folder=tmp_path / "notes", seed=seed, kills=kills, events=200 * kills)

    found = proof.of_two()

    found.check()
    assert found.kills.total() == kills
    assert len(found.log) >= 200 * kills


@pytest.mark.parametrize("engine", ["nats", "redis"])
def test_events_in_another_engine_survive_kills_and_so_does_the_outbox(
    engine: str, tmp_path: Path, seed: int, stream: str
) -> None:
    proof = Proof(
        url=f"sqlite:///{tmp_path}/events.db",
        folder=tmp_path / "notes",
        seed=seed,
        kills=15,
        events=3_000,
        engine=engine,
        stream=stream,
    )

    found = proof.of_one()

    found.check()
    assert found.kills.total() == 15
    assert len(found.log) >= 3_000
