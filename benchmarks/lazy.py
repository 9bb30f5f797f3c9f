"""How long an application takes until ready when most of its plugins start at their first use.

Two applications of the same plugins: one has all of them, of which a few are used, as each of those
starts with the application and the others have `activation`; the other has the few alone. Both are
children with warm bytecode, run in turn; what counts is the CPU time of all their threads from
after `import fastapi` on.
"""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.start import OURS, _child, make_application

Row = dict[str, Any]

TARGET = 1.5


def _make(folder: Path, plugins: int, used: int) -> None:
    folder.mkdir()
    for name in make_application(folder, plugins)[used:]:
        path = folder / "plugins" / name / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["activation"] = ["on_request"]
        path.write_text(json.dumps(manifest), encoding="utf-8")


def run(rounds: int = 5, *, plugins: int = 500, used: int = 10) -> list[Row]:
    """Measure the starts of both applications.

    Raises:
        RuntimeError: Not just the used plugins came to run.
    """
    with tempfile.TemporaryDirectory() as place:
        few, many = Path(place) / "few", Path(place) / "many"
        _make(few, used, used)
        _make(many, plugins, used)
        pairs = [(_child(OURS, many, []), _child(OURS, few, [])) for _ in range(rounds + 1)][1:]
    if any(each["running"] != used for pair in pairs for each in pair):
        raise RuntimeError(f"not just {used} plugins run")
    bare = statistics.median(two["seconds"] for _, two in pairs)
    ratio = statistics.median(one["seconds"] / two["seconds"] for one, two in pairs)
    return [
        {
            "name": f"{plugins:,} plugins of which {used} are used are ready",
            "value": statistics.median(one["seconds"] for one, _ in pairs),
            "unit": "s CPU",
            "against": f"{used} alone: {bare:.2f} s",
            "ratio": ratio,
            "target": TARGET,
            "ok": ratio <= TARGET,
        }
    ]
