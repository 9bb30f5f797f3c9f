"""How long an application of many plugins takes until all of them run.

The plugins are copies of the documents' example plugin under names of their own. Against them
stands what no application can do without: a process that imports the same modules with `importlib`,
makes each plugin and has it build its routers, and does nothing else with them.

Both are children with warm bytecode. The CPU time of all their threads is taken from after
`import fastapi` on, so the platform's own import counts. Logging is on as it comes, to nowhere.
"""

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.imports import warm_environ

Row = dict[str, Any]

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "tests" / "seed" / "my_awesome_plugin"
TARGET = 1.25

PEAK = """
def peak():
    # Not ru_maxrss, which begins with the parent's.
    with open("/proc/self/status") as status:
        return int(status.read().partition("VmHWM:")[2].split()[0])
"""

PEER = """
import fastapi, importlib, json, sys, time
from types import SimpleNamespace
began, entered = time.process_time(), time.perf_counter()
from nexus.plugins.binding import offering
sys.path.insert(0, ".")
modules = [importlib.import_module(f"plugins.{name}.plugin") for name in sys.argv[1:]]
# A context that says nothing, or each plugin would read its own manifest.
fields = ("name", "version", "title", "description", "author", "category")
silent = SimpleNamespace(
    identity=SimpleNamespace(**dict.fromkeys(fields, "")), own_metrics=None
)
with offering(silent):
    routers = [module.create_plugin().get_api_routes() for module in modules]
seconds, waited = time.process_time() - began, time.perf_counter() - entered
figures = {"seconds": seconds, "waited": waited, "peak": peak(), "running": len(routers)}
print(json.dumps(figures))
"""

OURS = """
import fastapi, asyncio, json, sys, time
began, entered = time.process_time(), time.perf_counter()
from nexus import create_nexus_app
async def main():
    app = create_nexus_app(".")
    await app.startup()
    await app.ready()
    seconds, waited = time.process_time() - began, time.perf_counter() - entered
    running = sum(each.status.state == "running" for each in app.manager.controllers())
    figures = {"seconds": seconds, "waited": waited, "peak": peak(), "running": running}
    await app.shutdown()
    print(json.dumps(figures))
asyncio.run(main())
"""


def make_application(folder: Path, plugins: int) -> list[str]:
    """Write an application of this many plugins into a folder, and give their names."""
    source = (TEMPLATE / "plugin.py").read_text(encoding="utf-8")
    manifest = (TEMPLATE / "manifest.json").read_text(encoding="utf-8")
    names = [f"plugin_{number:04}" for number in range(plugins)]
    settings = {"plugins": {name: {"api_key": _key(name)} for name in names}}
    (folder / "nexus.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for name in names:
        home = folder / "plugins" / name
        home.mkdir(parents=True)
        (home / "__init__.py").touch()
        (home / "plugin.py").write_text(source.replace(TEMPLATE.name, name), encoding="utf-8")
        (home / "manifest.json").write_text(manifest.replace(TEMPLATE.name, name), encoding="utf-8")
    (folder / "plugins" / "__init__.py").touch()
    return names


def _key(name: str) -> str:
    # As different from each other as real keys are: the log hides them all.
    return hashlib.sha256(name.encode()).hexdigest()


def _child(program: str, folder: Path, arguments: list[str]) -> dict[str, float]:
    ended = subprocess.run(
        [sys.executable, "-c", PEAK + program, *arguments],
        cwd=folder,
        env=warm_environ(folder / "bytecode"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    figures: dict[str, float] = json.loads(ended.stdout)
    return figures


def _measure(plugins: int, rounds: int) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = make_application(folder, plugins)
        ours, theirs = [], []
        for _ in range(rounds + 1):
            ours.append(_child(OURS, folder, []))
            theirs.append(_child(PEER, folder, names))
            if ours[-1]["running"] != plugins:
                raise RuntimeError(f"only {ours[-1]['running']} of {plugins} plugins run")
    return ours[1:], theirs[1:]  # the first round warms the bytecode


def _rows(plugins: int, rounds: int, target: float | None) -> list[Row]:
    ours, theirs = _measure(plugins, rounds)
    pairs = list(zip(ours, theirs, strict=True))
    ratio = statistics.median(one["seconds"] / two["seconds"] for one, two in pairs)
    bare = statistics.median(each["seconds"] for each in theirs)
    bare_wait = statistics.median(each["waited"] for each in theirs)
    peak = statistics.median(one["peak"] for one in ours) / 1024
    bare_peak = statistics.median(two["peak"] for two in theirs) / 1024
    return [
        {
            "name": f"{plugins:,} plugins are ready",
            "value": statistics.median(each["seconds"] for each in ours),
            "unit": "s CPU",
            "against": f"their modules and routers: {bare:.2f} s",
            "ratio": ratio,
            "target": target,
            "ok": target is None or ratio <= target,
        },
        {
            "name": f"{plugins:,} plugins, seconds until ready",
            "value": statistics.median(each["waited"] for each in ours),
            "unit": "s",
            "against": f"their modules and routers: {bare_wait:.2f} s",
            "ratio": statistics.median(one["waited"] / two["waited"] for one, two in pairs),
            "target": None,
            "ok": True,
        },
        {
            "name": f"memory with {plugins:,} plugins",
            "value": peak,
            "unit": "MiB",
            "against": f"their modules and routers: {bare_peak:.0f} MiB",
            "ratio": peak / bare_peak,
            "target": None,
            "ok": True,
        },
    ]


def run(rounds: int = 5, *, plugins: tuple[int, int] = (500, 1000)) -> list[Row]:
    """Measure a start, and one of twice as many plugins.

    Raises:
        RuntimeError: Not all of the plugins came to run.
    """
    few, many = plugins
    return [*_rows(few, rounds, TARGET), *_rows(many, max(1, rounds // 3), None)]
