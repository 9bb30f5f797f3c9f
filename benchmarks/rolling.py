"""Rolling an update of one plugin through public platforms as they are, beside us.

Each runs in a process of its own, the rivals in environments of their own below `.cache/`. A plugin
that takes 0.3 s to set up is changed and reloaded again and again, in the way that the platform
offers, while requests to its route go on. A reply is stale when it comes from code older than what
the last reload that had returned before the request was sent has brought.

XCore is `xcoreruntime` on the package index (`xcore` and `xcore-framework` are other projects); its
newest release for Python 3.11 needs greenlet beside what it asks for. There, the first reload of a
plugin as the documents write it fails, and leaves it failed: `TrustedBase` holds the platform's
own services, the reload offers them anew, and that is refused. So is any service that the plugin
offered at the start. A plugin that offers none can be reloaded, but may be called only after its
first reload; both are measured. FastPluggy reloads all plugins together.
"""

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.rivals import not_measured

Row = dict[str, Any]

ROOT = Path(__file__).parents[1]
INSTALL_SECONDS = 600
TOKEN = "a-token-for-the-benchmarks"
SENDERS, PAUSE = 4, 0.01
WARM_UP, RELOADS = 20, 80

XCORE_PLUGIN = """
import asyncio
from fastapi import APIRouter
from xcore.sdk import TrustedBase

EDITION = 0


class Plugin(TrustedBase):
    async def on_load(self):
        # LOADED
        await asyncio.sleep(0.3)

    def get_router(self):
        router = APIRouter()

        @router.get("/edition")
        async def edition() -> int:
            return EDITION

        return router

    async def handle(self, action, payload):
        return {"edition": EDITION}
"""

XCORE_MANIFEST = """
name: busy
version: "1.0.0"
author: x
description: x
execution_mode: trusted
framework_version: ">=2.0"
entry_point: src/main.py
permissions:
  - resource: "*"
    actions: ["*"]
    effect: allow
resources:
  rate_limit:
    calls: 1000000
    period_seconds: 60
"""

XCORE_MAIN = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from xcore import Xcore

xcore = Xcore(config_path="xcore.yaml")

@asynccontextmanager
async def lifespan(app):
    await xcore.boot(app)
    yield
    await xcore.shutdown()

app = FastAPI(lifespan=lifespan)

@app.post("/reload")
async def reload():
    await xcore.plugins.reload("busy")
    return {}

@app.get("/edition")
async def edition() -> int:
    return (await xcore.plugins.call("busy", "edition", {}))["edition"]
"""

PLUGGY_PLUGIN = """
import time
from typing import Annotated
from fastapi import APIRouter
from fastpluggy.core.module_base import FastPluggyBaseModule
from fastpluggy.core.tools.inspect_tools import InjectDependency
from fastpluggy.fastpluggy import FastPluggy

EDITION = 0


def make_router():
    router = APIRouter()

    @router.get("/edition")
    async def edition() -> int:
        return EDITION

    return router


class Busy(FastPluggyBaseModule):
    module_name: str = "busy"
    module_version: str = "1.0.0"
    module_router: object = make_router

    def on_load_complete(self, fast_pluggy: Annotated[FastPluggy, InjectDependency]):
        time.sleep(0.3)
"""

PLUGGY_MAIN = """
from fastapi import FastAPI
from fastpluggy.fastpluggy import FastPluggy

app = FastAPI()
pluggy = FastPluggy(app, app_root_dir=".", path_plugins="plugins")

@app.post("/reload")
def reload():
    pluggy.load_app()
    return {}
"""

OUR_PLUGIN = """
import asyncio
from fastapi import APIRouter
from nexus.plugins import BasePlugin

EDITION = 0


class Busy(BasePlugin):
    async def initialize(self):
        await asyncio.sleep(0.3)
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/edition")
        async def edition() -> int:
            return EDITION

        return [router]
"""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """One platform, how it is had, and how a plugin is written and reloaded there."""

    name: str
    packages: tuple[str, ...]
    files: dict[str, str]
    source: str
    path: str
    reload: str
    command: tuple[str, ...] = ("-m", "uvicorn", "main:app", "--log-level", "critical", "--port")


OURS = Platform(
    name="Nexus",
    packages=(),
    files={
        "nexus.yaml": "name: Rolling\n",
        "plugins/busy/manifest.json": '{"name": "busy", "version": "1.0.0"}',
        "plugins/busy/plugin.py": OUR_PLUGIN,
    },
    source="plugins/busy/plugin.py",
    path="/plugins/busy/edition",
    reload="/api/v1/plugins/busy/reload",
    command=("-m", "nexus", "run", "--port"),
)

XCORE = Platform(
    name="XCore (xcoreruntime 2.1.1)",
    packages=("xcoreruntime==2.1.1", "greenlet"),
    files={
        "xcore.yaml": "plugins:\n  directory: ./plugins\n  strict_trusted: false\n",
        "plugins/busy/plugin.yaml": XCORE_MANIFEST,
        "plugins/busy/src/main.py": XCORE_PLUGIN,
        "main.py": XCORE_MAIN,
    },
    source="plugins/busy/src/main.py",
    path="/edition",
    reload="/reload",
)

RIVALS = (
    XCORE,
    replace(
        XCORE,
        name="XCore, a plugin without services, reloaded once before",
        files={
            **XCORE.files,
            XCORE.source: XCORE_PLUGIN.replace("# LOADED", "self._services = {}"),
            "main.py": XCORE_MAIN.replace("yield", "await xcore.plugins.reload('busy')\n    yield"),
        },
    ),
    Platform(
        name="FastPluggy 0.4.73",
        packages=("fastpluggy==0.4.73", "uvicorn"),
        files={
            "plugins/busy/plugin.py": PLUGGY_PLUGIN,
            "plugins/busy/__init__.py": "from .plugin import Busy\n",
            "main.py": PLUGGY_MAIN,
        },
        source="plugins/busy/plugin.py",
        path="/plugin/busy/edition",
        reload="/reload",
    ),
)


class NotServing(Exception):
    """The plugin's route did not come to answer; nothing can be said of updates then."""


@dataclass
class Outcome:
    """What came of the updates."""

    replies: int = 0
    failed: int = 0
    stale: int = 0
    refused: int = 0
    returned: list[tuple[float, int]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def edition_at(self, moment: float) -> int:
        """Give the edition of the last reload that had returned by then."""
        return max((edition for when, edition in self.returned if when <= moment), default=0)


def install(platform: Platform) -> Path | None:
    """Give the interpreter of a platform's environment, None where it cannot be had."""
    if not platform.packages:
        return Path(sys.executable)
    home = ROOT / ".cache" / "benchmarks" / platform.packages[0].replace("==", "-")
    interpreter, ready = home / "bin" / "python", home / "ready"
    if ready.exists():
        return interpreter
    pip = [interpreter, "-m", "pip", "install", "--quiet", *platform.packages]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run(pip, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    ready.touch()
    return interpreter


@contextlib.contextmanager
def _serving(platform: Platform, interpreter: Path, folder: Path) -> Iterator[tuple[int, int]]:
    for name, text in platform.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "NEXUS_ADMIN_TOKEN": TOKEN, "NEXUS_LOGGING__ACCESS": "false"}
    if platform.packages:
        environ.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [interpreter, *platform.command, str(port)],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


async def _ask(port: int, method: str, path: str) -> tuple[int, str]:
    """Give the status and the body; 0 where the connection failed."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
        writer.write(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
    except OSError:
        return 0, ""
    head, _, body = answer.partition("\r\n\r\n")
    return (int(head.split()[1]), body) if head else (0, "")


async def _send(platform: Platform, port: int, found: Outcome) -> None:
    while True:
        due = found.edition_at(time.monotonic())
        status, body = await _ask(port, "GET", platform.path)
        found.replies += 1
        found.failed += status != 200
        found.stale += status == 200 and int(body) < due
        await asyncio.sleep(PAUSE)


def _memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _roll(platform: Platform, port: int, pid: int, source: Path) -> Outcome:
    for _ in range(600):
        if (await _ask(port, "GET", platform.path))[0] == 200:
            break
        await asyncio.sleep(0.1)
    else:
        raise NotServing
    found = Outcome()
    senders = [asyncio.create_task(_send(platform, port, found)) for _ in range(SENDERS)]
    text = source.read_text(encoding="utf-8")
    for edition in range(1, WARM_UP + RELOADS + 1):
        source.write_text(text.replace("EDITION = 0", f"EDITION = {edition}"), encoding="utf-8")
        status, _ = await _ask(port, "POST", platform.reload)
        found.refused += status != 200
        if status == 200:
            found.returned.append((time.monotonic(), edition))
        if edition >= WARM_UP:
            found.memory.append(_memory(pid))
        await asyncio.sleep(0.1)
    for each in senders:
        each.cancel()
    await asyncio.wait(senders)
    return found


def measure(platform: Platform) -> Row:
    """Roll the updates, and give what came of them."""
    name = f"{WARM_UP + RELOADS} updates through {platform.name}"
    interpreter = install(platform)
    if interpreter is None:
        return not_measured(name, "the package index did not give it")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with _serving(platform, interpreter, folder) as (port, pid):
            try:
                found = asyncio.run(_roll(platform, port, pid, folder / platform.source))
            except NotServing:
                return not_measured(name, "its route did not come to answer")
    growth = statistics.linear_regression(range(len(found.memory)), found.memory).slope / 1000
    told = f"{found.replies:,} calls: {found.stale:,} stale replies, {growth:.1f} kB a reload"
    if found.refused:
        told += f"; {found.refused} reloads failed"
    return {
        "name": name,
        "value": found.failed,
        "unit": "failed calls",
        "against": told,
        "ratio": None,
        "target": None,
        "ok": True,
    }


def run() -> list[Row]:
    """Measure ours and theirs."""
    return [measure(each) for each in (OURS, *RIVALS)]
