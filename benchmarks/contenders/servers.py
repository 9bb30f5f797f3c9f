"""Servers of our own that sync what they acknowledge, for both sides of a comparison."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 20.0
FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _redis(port: int, folder: Path) -> list[str]:
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    return ["redis-server", *where, *durable]


def _nats(port: int, folder: Path) -> list[str]:
    return ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder)]


COMMANDS = {"redis": _redis, "nats": _nats}


@contextmanager
def private(engine: str, folder: Path) -> Iterator[str]:
    """Run a server inside the block, and give its URL.

    Raises:
        FileNotFoundError: It is not installed.
        TimeoutError: It does not listen in time.
    """
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    program, *options = COMMANDS[engine](port, folder)
    found = shutil.which(program) or shutil.which(program, path=FOLDERS)
    if found is None:
        message = f"no {program} is installed"
        raise FileNotFoundError(message)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([found, *options], stdout=log, stderr=log)
    try:
        _arrived(port, program)
        yield f"{engine}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _arrived(port: int, program: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                message = f"{program} does not listen"
                raise TimeoutError(message) from None
            time.sleep(0.05)
        else:
            return
