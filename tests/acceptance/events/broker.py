"""A NATS or Redis server of our own, which syncs what it acknowledges as far as it can."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PROGRAMS: Final = {"nats": "nats-server", "redis": "redis-server"}
_PATIENCE: Final = 20.0


class PrivateBroker:
    """A server with data in a folder, on a port that was free.

    Args:
        engine: nats or redis.
        folder: Where its data and its log go.
    """

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine = engine
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What `events.engine` is to be."""
        return f"{self.engine}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        program = shutil.which(PROGRAMS[self.engine], path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program is not None
        port, data = str(self.port), str(self._folder)
        options = {
            "nats": ["-a", "127.0.0.1", "-p", port, "-js", "-sd", data],
            "redis": [
                *("--port", port, "--bind", "127.0.0.1", "--dir", data, "--save", ""),
                *("--appendonly", "yes", "--appendfsync", "always"),
            ],
        }
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *options[self.engine]], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._serves():
            assert time.monotonic() < deadline, (self._folder / "server.log").read_text()[-2000:]
            time.sleep(0.02)

    def _serves(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@contextmanager
def private_broker(engine: str) -> Iterator[PrivateBroker]:
    """Give a server of our own, which runs."""
    with tempfile.TemporaryDirectory(prefix="nexus-broker-") as folder:
        made = PrivateBroker(engine, Path(folder))
        made.start()
        try:
            yield made
        finally:
            made.stop()
