"""A NATS server of a test's own, which can be set otherwise, killed, and robbed of its data."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

_PATIENCE: Final = 60.0


class NatsServer:
    """A server with its data in a folder, on a port that was free.

    Args:
        folder: Where its data, its settings and its log go.

    Attributes:
        settings: What stands in its settings beside address and folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.settings = ""

    @property
    def url(self) -> str:
        """What `events.engine` is to be."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program is not None
        self._write()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._folder / "server.conf")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._serves():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self, settings: str = "") -> None:
        """Kill it, and start it with other settings."""
        self.stop()
        self.settings = settings
        self.start()

    def reload(self, settings: str = "") -> None:
        """Have it read other settings while it runs."""
        assert self._process is not None
        self.settings = settings
        self._write()
        self._process.send_signal(signal.SIGHUP)

    def send(self, how: signal.Signals) -> None:
        """Freeze it, or let it go on."""
        assert self._process is not None
        self._process.send_signal(how)

    def save(self) -> None:
        """Keep a copy of its data."""
        self.stop()
        shutil.copytree(self._folder / "data", self._folder / "copy")
        self.start()

    def restore(self) -> None:
        """Have it lose what it was given since the copy."""
        self.stop()
        shutil.rmtree(self._folder / "data")
        shutil.copytree(self._folder / "copy", self._folder / "data")
        self.start()

    def _write(self) -> None:
        (self._folder / "server.conf").write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self._folder}/data" }}\n{self.settings}\n'
        )

    def _serves(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False
