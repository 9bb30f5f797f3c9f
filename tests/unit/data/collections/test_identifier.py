"""Ids ascend, in every process on its own."""

import os
import subprocess
import sys
import threading

import pytest

from nexus.data.collections.identifier import make_id

FORK = """
import os, time
from nexus.data.collections.identifier import make_id
now = time.time_ns()
time.time_ns = lambda: now
make_id()
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, " ".join(make_id() for _ in range(100)).encode())
    os._exit(0)
os.wait()
theirs = os.read(reading, 100_000).decode().split()
ours = [make_id() for _ in range(100)]
assert len({*theirs, *ours}) == 200
"""


def test_ids_ascend_in_time() -> None:
    ids = [make_id() for _ in range(20_000)]

    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {28}


def test_ids_ascend_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_id()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)

    ids = [before, *(make_id() for _ in range(100))]

    assert ids == sorted(set(ids))


def test_threads_never_get_the_same() -> None:
    found: list[str] = []

    def work() -> None:
        found.extend([make_id() for _ in range(3000)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 12_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_makes_others() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=30)
