"""A disk without room: publishing says so, and goes on when there is room again."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from tests.acceptance.events.driver import Orders, Process, crowd
from tests.acceptance.events.evidence import collect, prepare, wait_for

_SPARE: Final = 200_000
"""Bytes that are left when the room is taken away."""

pytestmark = pytest.mark.timeout(300)


class Disk(Protocol):
    """Where the database is."""

    folder: Path

    def take_room(self, process: Process) -> None:
        """Let the database grow hardly any more."""

    def give_room(self, process: Process) -> None:
        """Let it grow."""


class SmallDisk:
    """A file system of its own, with a file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def take_room(self, process: Process) -> None:
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        with self._ballast.open("r+b") as file:
            file.truncate(self._ballast.stat().st_size - _SPARE)

    def give_room(self, process: Process) -> None:
        self._ballast.unlink()


class LimitedFiles:
    """A process whose files may not get larger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take_room(self, process: Process) -> None:
        sizes = [each.stat().st_size for each in self.folder.glob("events.db*")]
        self._limit(process, max(sizes) + _SPARE)

    def give_room(self, process: Process) -> None:
        with suppress(ProcessLookupError):  # it may have been killed
            self._limit(process, resource.RLIM_INFINITY)

    def _limit(self, process: Process, size: int) -> None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture(params=["small disk", "limited files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "limited files":
        yield LimitedFiles(folder)
        return
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("is_killed", [False, True], ids=["runs on", "killed while full"])
def test_what_was_acknowledged_before_the_disk_was_full_is_there_and_it_goes_on_with_more_room(
    disk: Disk, tmp_path: Path, seed: int, *, is_killed: bool
) -> None:
    url, notes = f"sqlite:///{disk.folder}/events.db", tmp_path / "notes"
    notes.mkdir()
    prepare(url)
    orders = Orders(url=url, folder=str(notes), events=20_000, pause=0.02)
    with crowd(orders, seed) as processes:
        process = processes.start()
        wait_for(notes, "acknowledged", 200)

        disk.take_room(process)
        wait_for(notes, "refused", 100)
        if is_killed:
            process.kill()
            disk.give_room(process)
            process = processes.start(events=500)
        else:
            disk.give_room(process)
            wait_for(notes, "acknowledged", 200)
            process.stop_publishing()
        process.finish()
        processes.alive.clear()

    found = collect(orders)
    found.check()
    assert len(found.acknowledged) > 400
