"""What a reload costs, what it leaves behind, and what the users of a plugin notice of it.

A child runs an application of many plugins like the documents' example and reloads one of them,
whose source has changed each time; the bare load of the same changed module, and building the
routers of its plugin, take turns with it in the same process. All are CPU time of all threads. Then
an application in a process of its own answers requests at half of what it can, with and without one
reload a second.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.imports import warm_environ
from benchmarks.start import make_application

Row = dict[str, Any]

LOADS, SWAP_SECONDS, OLD_CLASSES, TAIL = 3.0, 0.001, 1, 1.5
TOKEN = "a-token-for-the-benchmarks"
WINDOW = 6.0
CONNECTIONS = 8

CHILD = """
import asyncio, gc, importlib.util, json, statistics, sys, time, weakref
from pathlib import Path
from types import SimpleNamespace
from nexus import create_nexus_app
from nexus.plugins.binding import offering
from nexus.plugins.generation import Generation

rounds = int(sys.argv[1])
source = Path("plugins/plugin_0000/plugin.py")
text = source.read_text()
swaps, waits, classes = [], [], weakref.WeakSet()
commit = Generation.commit
fields = ("name", "version", "title", "description", "author", "category")
silent = SimpleNamespace(
    identity=SimpleNamespace(**dict.fromkeys(fields, "")), own_metrics=None
)

def timed(self, predecessor):
    began = time.perf_counter()
    commit(self, predecessor)
    swaps.append(time.perf_counter() - began)
    classes.add(type(self.hosted.plugin))

def bare(number):
    spec = importlib.util.spec_from_file_location(f"bare_{number}", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    exec(compile(source.read_bytes(), source, "exec"), module.__dict__)
    with offering(silent):
        plugin = module.create_plugin()
    del sys.modules[spec.name]
    return plugin

async def request(app):
    sent = []
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/plugins/plugin_0000/status", "raw_path": b"",
        "query_string": b"", "headers": [], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "root_path": ""}
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent

async def longest_steps(app, rounds):
    # CPU time of the loop's thread, which other work on the machine does not change.
    steps, longest, run = [], [], asyncio.Handle._run
    def timed_run(handle):
        began = time.thread_time()
        run(handle)
        steps.append(time.thread_time() - began)
    asyncio.Handle._run = timed_run
    for number in range(rounds):
        source.write_text(f"{text}\\nEDITION = -{number}\\n")
        gc.collect()
        await asyncio.sleep(0.01)
        steps.clear()
        await app.manager.reload("plugin_0000")
        longest.append(max(steps))
    asyncio.Handle._run = run
    return longest

async def main():
    app = create_nexus_app(".")
    await app.startup()
    await app.ready()
    Generation.commit = timed
    ours, theirs, routers = [], [], []
    for number in range(rounds + 2):
        source.write_text(f"{text}\\nEDITION = {number}\\n")
        began = time.process_time()
        plugin = bare(number)
        theirs.append(time.process_time() - began)
        began, entered = time.process_time(), time.perf_counter()
        await app.manager.reload("plugin_0000")
        await request(app)
        ours.append(time.process_time() - began)
        waits.append(time.perf_counter() - entered)
        began = time.process_time()
        plugin.get_api_routes()
        routers.append(time.process_time() - began)
        del plugin
    steps = await longest_steps(app, rounds)
    gc.collect()
    print(json.dumps({"steps": steps, "ours": ours[2:], "bare": theirs[2:], "swaps": swaps[2:],
        "routers": routers[2:], "waits": waits[2:], "classes": len(classes)}))
    await app.shutdown()

asyncio.run(main())
"""

LOADED = """
from fastapi import APIRouter
from pydantic import BaseModel
from nexus.plugins import BasePlugin


class Answer(BaseModel):
    says: str = "hello"


class Plugin(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root() -> Answer:
            return Answer()

        return [router]
"""


def row(
    name: str, value: float, unit: str, against: str, *, ratio: float, target: float | None
) -> Row:
    """Make a row of the table."""
    ok = target is None or ratio <= target
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": against,
        "ratio": ratio,
        "target": target,
        "ok": ok,
    }


def _child(plugins: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_application(folder, plugins)
        ended = subprocess.run(
            [sys.executable, "-c", CHILD, str(rounds)],
            cwd=folder,
            env=warm_environ(folder / "bytecode"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    figures: dict[str, Any] = json.loads(ended.stdout)
    return figures


def _times(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(one / two for one, two in zip(ours, theirs, strict=True))


def measure_reloads(plugins: int, rounds: int) -> list[Row]:
    """Measure reloads of one of so many plugins."""
    found = _child(plugins, rounds)
    ours = 1000 * statistics.median(found["ours"])
    wait = 1000 * statistics.median(found["waits"])
    bare = found["bare"]
    built = [sum(each) for each in zip(bare, found["routers"], strict=True)]
    swap = statistics.median(found["swaps"])
    of = f"of {plugins:,} plugins"
    return [
        row(
            f"reload one {of}, and first request",
            ours,
            "ms CPU",
            f"the bare load of its module: {1000 * statistics.median(bare):.2f} ms",
            ratio=_times(found["ours"], bare),
            target=LOADS,
        ),
        row(
            f"the same {of} ({wait:.1f} ms until the answer)",
            ours,
            "ms CPU",
            f"that, and building its routers: {1000 * statistics.median(built):.2f} ms",
            ratio=_times(found["ours"], built),
            target=None,
        ),
        row(
            f"the swap step {of}",
            1e6 * swap,
            "us",
            f"1 ms (the longest: {1e6 * max(found['swaps']):.0f} us)",
            ratio=swap / SWAP_SECONDS,
            target=1.0,
        ),
        row(
            f"the longest that it keeps the event loop, {of}",
            1000 * statistics.median(found["steps"]),
            "ms CPU",
            f"the bare load (the longest: {1000 * max(found['steps']):.2f} ms)",
            ratio=statistics.median(found["steps"]) / statistics.median(bare),
            target=None,
        ),
        row(
            f"plugin classes alive after {2 * rounds} reloads",
            found["classes"],
            "classes",
            "the one that serves, and one old one",
            ratio=found["classes"] / (1 + OLD_CLASSES),
            target=1.0,
        ),
    ]


# What the users notice ----------------------------------------------------------------------------


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    home = folder / "plugins" / "busy"
    home.mkdir(parents=True)
    (folder / "nexus.yaml").write_text("name: Benchmark\n", encoding="utf-8")
    (home / "manifest.json").write_text(
        json.dumps({"name": "busy", "version": "1.0.0"}), encoding="utf-8"
    )
    (home / "plugin.py").write_text(LOADED, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "nexus", "run", "--port", "0"],
        cwd=folder,
        env={**os.environ, "NEXUS_ADMIN_TOKEN": TOKEN, "NEXUS_LOGGING__ACCESS": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        run_file = folder / "data" / "run.json"
        deadline = time.monotonic() + 60
        while not run_file.is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        host, _, port = json.loads(run_file.read_text())["url"].partition("//")[2].partition(":")
        yield host, int(port.rstrip("/"))
    finally:
        process.terminate()
        process.wait(30)


class _Client:
    """One connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, method: str, path: str) -> int:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        head += f"Authorization: Bearer {TOKEN}\r\n\r\n"
        self._writer.write(head.encode())
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = answer.partition("content-length: ")[2].partition("\r\n")[0]
        await self._reader.readexactly(int(length or 0))
        return int(answer.split()[1])

    def close(self) -> None:
        self._writer.close()


async def _ready(client: _Client) -> None:
    for _ in range(600):
        if await client.ask("GET", "/plugins/busy/") == 200:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("the plugin does not come to run")


async def _at_full_speed(clients: list[_Client], seconds: float) -> float:
    """Give the requests a second when each connection asks without a pause."""
    ends = time.monotonic() + seconds

    async def ask(client: _Client) -> int:
        count = 0
        while time.monotonic() < ends:
            await client.ask("GET", "/plugins/busy/")
            count += 1
        return count

    return sum(await asyncio.gather(*map(ask, clients))) / seconds


async def _at_pace(clients: list[_Client], rate: float, seconds: float) -> float:
    """Give the 99th percentile of the seconds from when a request was due to its answer."""
    gap, began = len(clients) / rate, time.monotonic()
    waits: list[float] = []

    async def ask(client: _Client, number: int) -> None:
        due = began + gap * number / len(clients)
        while due < began + seconds:
            await asyncio.sleep(due - time.monotonic())
            if await client.ask("GET", "/plugins/busy/") != 200:
                raise RuntimeError("a request failed")
            waits.append(time.monotonic() - due)
            due += gap

    await asyncio.gather(*(ask(each, number) for number, each in enumerate(clients)))
    return statistics.quantiles(waits, n=100)[98]


async def _reload_each_second(client: _Client, source: Path) -> None:
    for number in range(1_000_000):
        source.write_text(f"{LOADED}\nEDITION = {number}\n", encoding="utf-8")
        if await client.ask("POST", "/api/v1/plugins/busy/reload") != 200:
            raise RuntimeError("a reload failed")
        await asyncio.sleep(1.0)


async def _tails(address: tuple[str, int], source: Path, rounds: int) -> list[tuple[float, float]]:
    clients = [_Client(*await asyncio.open_connection(*address)) for _ in range(CONNECTIONS + 1)]
    *asking, operator = clients
    await _ready(operator)
    await _at_full_speed(asking, 1.0)
    operator.close()
    rate = await _at_full_speed(asking, 2.0) / 2
    pairs = []
    for _ in range(rounds):
        quiet = await _at_pace(asking, rate, WINDOW)
        # The server closes a connection that was idle for so long.
        operator = _Client(*await asyncio.open_connection(*address))
        reloading = asyncio.create_task(_reload_each_second(operator, source))
        moved = await _at_pace(asking, rate, WINDOW)
        if reloading.done():
            reloading.result()
        reloading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reloading
        operator.close()
        pairs.append((moved, quiet))
    for each in asking:
        each.close()
    return pairs


def measure_tail(rounds: int) -> Row:
    """Measure the 99th percentile of requests with a reload a second, and without."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with _server(folder) as address:
            source = folder / "plugins" / "busy" / "plugin.py"
            pairs = asyncio.run(_tails(address, source, rounds))
    quiet = 1000 * statistics.median(two for _, two in pairs)
    return row(
        "p99 at half load, one reload a second",
        1000 * statistics.median(one for one, _ in pairs),
        "ms",
        f"the same without reloads: {quiet:.2f} ms",
        ratio=statistics.median(one / two for one, two in pairs),
        target=TAIL,
    )


def run(rounds: int = 5, *, plugins: tuple[int, ...] = (1, 100, 500)) -> list[Row]:
    """Measure everything, and roll an update through public platforms beside us."""
    from benchmarks import rolling

    rows = []
    for number in plugins:
        found = measure_reloads(number, 10 * rounds)
        rows += found if number == plugins[-1] else found[:2]
    return [*rows, measure_tail(rounds), *rolling.run()]
