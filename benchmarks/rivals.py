"""The bus beside those of public platforms of the same kind.

The public Nexus is installed from the package index into an environment of its own, once, below
`.cache/`; without an index its rows say so. The bus runs there as it comes, and bursts of ours and
of theirs take turns. XCore is there as `xcoreruntime`; its bus is not measured yet.
"""

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import bus

Row = dict[str, Any]

ROOT = Path(__file__).parents[1]
DISTRIBUTION, VERSION = "nexus-platform", "0.1.5"
RIVAL = f"the public Nexus {VERSION}"
HOME = ROOT / ".cache" / "benchmarks" / f"{DISTRIBUTION}-{VERSION}"
INSTALL_SECONDS = 300


def install() -> Path | None:
    """Give the interpreter of the environment, None where the distribution cannot be had."""
    interpreter = HOME / "bin" / "python"
    ready = HOME / "ready"
    if ready.exists():
        return interpreter
    pip = [interpreter, "-m", "pip", "install", "--quiet", f"{DISTRIBUTION}=={VERSION}"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
        subprocess.run(pip, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    ready.touch()
    return interpreter


def _their_burst(interpreter: Path, subscribers: int) -> float:
    events = bus.PEER_EVENTS[subscribers]
    program = ROOT / "benchmarks" / "rival_bus.py"
    ended = subprocess.run(
        [interpreter, "-P", program, str(subscribers), str(events)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return float(ended.stdout)


def _row(subscribers: int, ours: list[float], theirs: list[float]) -> Row:
    ratio = statistics.median(one / two for one, two in zip(ours, theirs, strict=True))
    # Speed beside other buses is promised from ten subscribers on.
    target = 1.0 if subscribers > 1 else None
    return {
        "name": f"bus, burst to {subscribers}",
        "value": statistics.median(ours),
        "unit": "us/event",
        "against": f"{RIVAL}: {statistics.median(theirs):.0f} us",
        "ratio": ratio,
        "target": target,
        "ok": target is None or ratio < target,
    }


def not_measured(name: str, reason: str) -> Row:
    """Make the row of a comparison that could not be made; its `ok` is None."""
    return {
        "name": name,
        "value": None,
        "unit": "",
        "against": reason,
        "ratio": None,
        "target": None,
        "ok": None,
    }


def run(rounds: int = 5) -> list[Row]:
    """Measure, and give a row for each number of subscribers."""
    rows = []
    interpreter = install()
    for subscribers in bus.TARGETS if interpreter else ():
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            ours.append(bus.burst("nexus", subscribers))
            theirs.append(_their_burst(interpreter, subscribers))
        rows.append(_row(subscribers, ours, theirs))
    if interpreter is None:
        reason = f"{RIVAL}: the package index did not give it"
        rows.append(not_measured("bus, burst", reason))
    reason = "XCore: not done yet"
    return [*rows, not_measured("bus, burst", reason)]
