"""The proofs about reloads at length: `make soak-reloads`.

Environment variables say how long: `SOAK_RELOADS` under load (200), each of which takes
`SOAK_SLOW` seconds (0.3) to initialize, and `SOAK_MEMORY` reloads (1000) over which memory and
everything else is watched.
"""

# ruff: noqa: T201 - it is a command

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.reloads.memory import hold_against_reloads
from tests.acceptance.reloads.proof import reloads_under_load
from tests.acceptance.reloads.workplace import Workplace

KILOBYTES_A_RELOAD = 4.0


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"SOAK_{name}", default)


def _under_load(folder: Path) -> bool:
    began = time.monotonic()
    reloads, slow = int(_setting("RELOADS", "200")), float(_setting("SLOW", "0.3"))
    found = reloads_under_load(Workplace(folder), reloads=reloads, slow=slow)
    for name, value in found.summary().items():
        print(f"  {value:>9,}  {name}")
    print(f"  {time.monotonic() - began:>9,.0f}  seconds", flush=True)
    found.check()
    return True


def _memory(folder: Path) -> bool:
    reloads = int(_setting("MEMORY", "1000"))
    found = hold_against_reloads(
        Workplace(folder), warm_up=100, reloads=reloads, every=max(1, reloads // 20), tell=print
    )
    growth = found.bytes_per_reload() / 1000
    print(f"  {growth:.2f} kB a reload, at most {KILOBYTES_A_RELOAD:g}", flush=True)
    found.check()
    return growth <= KILOBYTES_A_RELOAD


def main() -> int:
    """Run both, and give the exit code."""
    kept = True
    for run in (_under_load, _memory):
        print(f"\n{run.__name__.strip('_').replace('_', ' ')}", flush=True)
        with tempfile.TemporaryDirectory(prefix="nexus-soak-") as folder:
            try:
                kept &= run(Path(folder))
            except AssertionError as broken:
                print(f"  BROKEN: {broken}", flush=True)
                kept = False
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
