"""Imports a plugin in another process, and holds its routes against its manifest."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from nexus.cli.checks.finding import Finding, Level
from nexus.manifest import Manifest
from nexus.plugins.discovery import DiscoveredPlugin

TIMEOUT: Final = 60.0
"""Seconds that the import may take, as long as a start may by default."""


def check_import_and_routes(
    plugin: DiscoveredPlugin, root: Path, *, timeout: float = TIMEOUT
) -> list[Finding]:
    """Find out whether the code imports, makes one plugin, and serves what the manifest says.

    Args:
        plugin: The plugin, with a valid manifest.
        root: The folder to run in.
        timeout: Seconds that it may take.
    """
    if plugin.manifest is None:
        return []
    answer = _ask(plugin, root, timeout)
    if "problem" in answer:
        return [Finding(level=Level.ERROR, place="plugin.py", message=answer["problem"])]
    if "routes_problem" in answer:
        # Routes may need what initialize() sets up, and a check does not call that.
        certain = bool(answer.get("certain"))
        hint = "" if certain else " Without initialize() the routes cannot be looked at."
        return [
            Finding(
                level=Level.ERROR if certain else Level.NOTE,
                place="plugin.py",
                message=f"{answer['routes_problem']}{hint}",
            )
        ]
    return list(_compare(plugin.manifest, answer["routes"]))


def _ask(plugin: DiscoveredPlugin, root: Path, timeout: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nexus-check-") as folder:
        request, result = Path(folder, "request.json"), Path(folder, "result.json")
        asked = {
            "folder": str(plugin.folder),
            "name": plugin.name,
            "own_names": plugin.own_names,
        }
        request.write_text(json.dumps(asked), encoding="utf-8")
        command = [sys.executable, "-m", "nexus.cli.checks.probe", str(request), str(result)]
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                command,
                cwd=root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"problem": f"Its code has not finished importing after {timeout:g} s."}
        try:
            answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        except FileNotFoundError:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            last = f" Its last words: {said[-1]}" if said else ""
            return {"problem": f"Importing it ended the process ({done.returncode}).{last}"}
    return answer


def _compare(manifest: Manifest, routes: Sequence[Sequence[str]]) -> Iterator[Finding]:
    served = {(method, _shape(path)): path for method, path in routes}
    declared = {(each.method, _shape(each.path)) for each in manifest.api_endpoints}
    for index, each in enumerate(manifest.api_endpoints):
        if (each.method, _shape(each.path)) not in served:
            others = sorted(method for method, path in served if path == _shape(each.path))
            hint = f" It serves {', '.join(others)} there." if others else ""
            yield Finding(
                level=Level.WARNING,
                place=f"manifest.json $.api_endpoints[{index}]",
                message=f"{each.method} {each.path} is declared, and no route serves it.{hint}",
            )
    for (method, shape), path in served.items():
        if (method, shape) not in declared and not (method == "HEAD" and ("GET", shape) in served):
            yield Finding(
                level=Level.NOTE,
                place="plugin.py",
                message=f"{method} {path or '/'} is served, and api_endpoints does not declare it.",
            )


def _shape(path: str) -> str:
    """Give a path with its parameters' names and types left out."""
    return re.sub(r"\{[^}]*\}", "{}", path) or "/"
