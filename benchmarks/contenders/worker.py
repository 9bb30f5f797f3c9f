"""The worker process of a rival.

python -m benchmarks.contenders.worker RIVAL URL HANDLED
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
"""Seconds that it has to end."""
TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """A process, with those that it has started.

    Args:
        process: The first of them, which leads a session.
        log: Where it writes.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def cpu(self) -> float:
        """Give the seconds of CPU time that its processes have taken, to 10 ms or so."""
        return sum(ticks for session, ticks in _processes() if session == self._process.pid) / TICKS

    def check(self) -> None:
        """See that it runs.

        Raises:
            ChildProcessError: It has ended.
        """
        if self._process.poll() is not None:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip()
            last = said.rpartition("\n")[2]
            message = f"the worker ended with {self._process.returncode}: {last}"
            raise ChildProcessError(message)


def _processes() -> Iterator[tuple[int, int]]:
    """Give the session and the CPU time of each process, as the kernel counts them."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        yield int(fields[3]), int(fields[11]) + int(fields[12])


@contextmanager
def running(rival: str, url: str, handled: Path) -> Iterator[Worker]:
    """Run the worker of a rival inside the block."""
    command = [sys.executable, "-m", __spec__.name, rival, url, str(handled)]
    log = handled.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=ROOT, start_new_session=True
        )
    try:
        yield Worker(process, log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> None:
    """Be the worker until it is stopped."""
    rival, url, handled = sys.argv[1:]
    import_module(f"benchmarks.contenders.{rival}").work(url, Path(handled))


if __name__ == "__main__":
    main()
