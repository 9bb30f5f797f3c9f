"""What `.ci/run` starts where servers do not run, here on other ports and in another folder."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "start-servers.sh"
PORTS = {
    "postgresql": "POSTGRESQL_PORT",
    "mariadb": "MARIADB_PORT",
    "redis": "REDIS_PORT",
    "nats": "NATS_PORT",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' accounts can enter; what was started there is ended."""
    made = Path(tempfile.mkdtemp(prefix="nexus-start-"))
    made.chmod(0o755)
    yield made
    for file in made.glob("*.pid"):
        process = int(file.read_text())
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        while Path(f"/proc/{process}/cwd").exists():
            time.sleep(0.01)
    shutil.rmtree(made)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def start(folder: Path, **variables: str) -> dict[str, str]:
    """Give the last line about each server; the script has to let go of its output."""
    done = subprocess.run(
        [SCRIPT],
        env={**os.environ, "SERVERS_FOLDER": str(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert done.stderr == ""
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.timeout(300)
def test_what_does_not_run_is_started_and_left_running(folder: Path) -> None:
    ports = {variable: free_port() for variable in PORTS.values()}

    told = start(folder, **ports)

    assert list(told) == list(PORTS)
    for name, text in told.items():
        if "installed" in text:
            continue
        port = ports[PORTS[name]]
        assert text == f"listens on {port}"
        process = int((folder / f"{name}.pid").read_text())
        assert os.getsid(process) == process
        assert Path(f"/proc/{process}/fd/0").readlink() == Path("/dev/null")
        assert start(folder, **ports)[name] == f"listens on {port} already"


def test_what_cannot_be_started_is_told_and_left_to_the_tests(folder: Path) -> None:
    programs = folder / "programs"
    programs.mkdir()
    for name, script in (("redis-server", "echo broken; exit 1"), ("nats-server", "sleep 60")):
        program = programs / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    ports = {variable: free_port() for variable in PORTS.values()}
    with ExitStack() as stack:
        for name in ("postgresql", "mariadb"):
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            ports[PORTS[name]] = str(listening.getsockname()[1])
        path = f"{programs}:{os.environ['PATH']}"

        told = start(folder, **ports, PATH=path, SERVERS_PATIENCE="3")

    assert told["postgresql"].endswith("already")
    assert told["mariadb"].endswith("already")
    redis, nats = ports["REDIS_PORT"], ports["NATS_PORT"]
    log = f"its log is {folder}"
    assert told["redis"] == f"it ended without listening on {redis}; {log}/redis.log"
    assert told["nats"] == f"it does not listen on {nats} after 3 s; {log}/nats.log"
    assert (folder / "redis.log").read_text() == "broken\n"
