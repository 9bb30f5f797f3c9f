"""What it costs to import the platform, beside FastAPI.

Each import runs in a fresh interpreter whose bytecode is warm, outside any project's folder. What
counts is the user CPU time of the whole interpreter, as the kernel counts it. The contenders take
turns; a ratio is the median of the rounds' ratios.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FASTAPI = "import fastapi"
PROGRAMS = {
    "fastapi": FASTAPI,
    "plugin": ("from fastapi import APIRouter\nfrom nexus.plugins import BasePlugin, HealthStatus"),
    "plugins": "import nexus.plugins",
    "create": "from nexus import create_nexus_app",
    "made": ("from nexus import create_nexus_app\ncreate_nexus_app('.', configure_logging=False)"),
}
ROWS = (
    ("import fastapi and nexus.plugins", "plugin", 1.10),
    ("from nexus import create_nexus_app", "create", 1.25),
    ("import nexus.plugins by itself", "plugins", None),
    ("create_nexus_app imported and called", "made", None),
)


def _user_seconds(program: str, folder: Path, environ: dict[str, str]) -> float:
    process = subprocess.Popen([sys.executable, "-c", program], cwd=folder, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"this program failed: {program}")
    return usage.ru_utime


def warm_environ(cache: Path) -> dict[str, str]:
    """Give an environment whose interpreters keep their bytecode in `cache`."""
    environ = {name: value for name, value in os.environ.items() if not _is_python_s(name)}
    return {**environ, "PYTHONPYCACHEPREFIX": str(cache), "PYTHONHASHSEED": "0"}


def _is_python_s(name: str) -> bool:
    return name in {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"} or name.startswith("NEXUS_")


def _measure(rounds: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        environ = warm_environ(Path(folder, "bytecode"))
        for number in range(rounds + 1):
            for name, program in PROGRAMS.items():
                seconds = _user_seconds(program, Path(folder), environ)
                if number:  # the first round warms the bytecode
                    samples[name].append(seconds)
    return samples


def run(rounds: int = 15) -> list[Row]:
    """Measure, and give one row an import; `value` is in milliseconds of user CPU time."""
    samples = _measure(rounds)
    plain = samples["fastapi"]
    against = f"{FASTAPI}: {statistics.median(plain) * 1e3:.0f} ms"
    rows = []
    for name, program, target in ROWS:
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(samples[program], plain, strict=True)
        )
        rows.append(
            {
                "name": name,
                "value": statistics.median(samples[program]) * 1e3,
                "unit": "ms CPU",
                "against": against,
                "ratio": ratio,
                "target": target,
                "ok": target is None or ratio <= target,
            }
        )
    return rows
