"""Install a built wheel by itself, and use it as somebody would on a first day.

    python scripts/wheel_smoke.py WHEEL [INTERPRETER ...]

Without interpreters, every supported Python that is found is used, and those that are missing are
named. Nothing but the wheel and its own dependencies is installed, so a dependency that only the
tests bring shows here.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MINORS = range(11, 15)
START_LIMIT = 90.0
STOP_LIMIT = 60.0


class SmokeError(Exception):
    """The wheel does not do what it should; the message says what."""


def clean_environment() -> dict[str, str]:
    """Give the environment without what would reach into Python or the platform."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("NEXUS_", "PYTHON", "VIRTUAL_ENV", "PYTEST_", "COV_"))
    }


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command to its end and give what it printed.

    Raises:
        SmokeError: It did not succeed.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = " ".join(str(part) for part in command)
        raise SmokeError(f"'{words}' ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def works_as(interpreter: str | Path, minor: int) -> bool:
    """Tell whether this is a Python 3.`minor` that runs and can make virtual environments."""
    probe = f"import ensurepip, sys, venv; raise SystemExit(sys.version_info[:2] != (3, {minor}))"
    try:
        done = subprocess.run(
            [str(interpreter), "-c", probe],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def find_interpreter(minor: int) -> str | None:
    """Find a Python 3.`minor`: on PATH, or among the versions that pyenv holds."""
    name = f"python3.{minor}"
    held = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        *filter(None, [shutil.which(name), shutil.which("python3")]),
        *sorted(str(path) for path in held.glob(f"3.{minor}.*/bin/{name}")),
        sys.executable,
    ]
    return next((path for path in candidates if works_as(path, minor)), None)


def find_interpreters() -> list[str]:
    """Find one interpreter of each supported version, and say which ones are missing."""
    found = []
    for minor in MINORS:
        path = find_interpreter(minor)
        if path is None:
            print(f"python3.{minor}: not found, skipped", flush=True)
        else:
            found.append(path)
    return found


def fetch(url: str) -> str:
    """Give the body of a page.

    Raises:
        SmokeError: It does not answer with 200.
    """
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            body: bytes = answer.read()
    except OSError as error:
        raise SmokeError(f"GET {url}: {error}") from error
    return body.decode(errors="replace")  # pictures are among what the pages load


@contextmanager
def serving(nexus: Path, folder: Path) -> Iterator[str]:
    """Run the application for the time of the block; gives its address once it is ready."""
    with (folder / "server.log").open("w+") as log:
        server = subprocess.Popen(
            [str(nexus), "run", "--port", "0"],
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield wait_until_ready(server, folder / "data" / "run.json")
            stop(server)
        except SmokeError as failure:
            log.seek(0)
            raise SmokeError(f"{failure}\nThe server said:\n{log.read()}") from failure
        finally:
            server.kill()
            server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], run_file: Path) -> str:
    """Wait for `/health/ready`, and give the address that the server took.

    Raises:
        SmokeError: The server ended, or was not ready in time.
    """
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SmokeError(f"'nexus run' ended with {server.returncode}")
        try:
            address: str = json.loads(run_file.read_text())["url"]
            fetch(f"{address}/health/ready")
        except (OSError, ValueError, SmokeError):
            time.sleep(0.1)
        else:
            return address
    raise SmokeError(f"'nexus run' was not ready after {START_LIMIT:g} s")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop.

    Raises:
        SmokeError: It does not, or reports a failure.
    """
    server.send_signal(signal.SIGTERM)
    try:
        code = server.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        raise SmokeError(f"'nexus run' was still there {STOP_LIMIT:g} s after SIGTERM") from None
    if code not in {0, -signal.SIGTERM}:
        raise SmokeError(f"'nexus run' ended with {code} after SIGTERM")


def visit(address: str) -> None:
    """Use the plugin's first route, and load the documentation page with all its parts.

    Raises:
        SmokeError: One of them is missing.
    """
    paths = json.loads(fetch(f"{address}/openapi.json"))["paths"]
    routes = [
        path
        for path, operations in paths.items()
        if path.startswith("/plugins/hello/") and "get" in operations and "{" not in path
    ]
    if not routes:
        raise SmokeError(f"no GET route of the new plugin among {sorted(paths)}")
    fetch(address + routes[0])
    page = fetch(f"{address}/docs")
    for part in re.findall(r"""(?:src|href)=["'](/[^"']+)["']""", page):
        fetch(address + part)


def smoke(wheel: Path, interpreter: str) -> None:
    """Install the wheel under `interpreter` and use it.

    Raises:
        SmokeError: Something does not work.
    """
    with tempfile.TemporaryDirectory(prefix="nexus-smoke-") as scratch:
        environment, folder = Path(scratch, "venv"), Path(scratch, "application")
        folder.mkdir()
        run([interpreter, "-m", "venv", environment], folder)
        python, nexus = environment / "bin" / "python", environment / "bin" / "nexus"
        run([python, "-m", "pip", "install", "--quiet", wheel], folder)
        if (version := wheel.name.split("-")[1]) not in (said := run([nexus, "--version"], folder)):
            raise SmokeError(f"'nexus --version' says {said!r}, the wheel is {version}")
        run([nexus, "init"], folder)
        run([nexus, "plugin", "create", "hello"], folder)
        run([nexus, "plugin", "check", "hello"], folder)
        with serving(nexus, folder) as address:
            visit(address)


def main(arguments: Sequence[str]) -> int:
    """Smoke-test the wheel; gives the exit code."""
    if not arguments:
        print(__doc__)
        return 2
    wheel, interpreters = Path(arguments[0]).resolve(), arguments[1:] or find_interpreters()
    failed = not interpreters
    for interpreter in interpreters:
        started = time.monotonic()
        try:
            version = run([interpreter, "--version"], Path.cwd()).strip()
            smoke(wheel, interpreter)
        except SmokeError as failure:
            failed = True
            print(f"{interpreter}: FAILED\n{failure}", flush=True)
        else:
            print(f"{version}: ok ({time.monotonic() - started:.0f} s)", flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
