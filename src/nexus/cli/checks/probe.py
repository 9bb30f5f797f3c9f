"""Imports one plugin in a process of its own, and tells what its routes are.

    python -m nexus.cli.checks.probe REQUEST RESULT

REQUEST is a JSON file with `folder`, `name` and `own_names`; RESULT is where the answer goes, also
as JSON: `problem` when the code cannot be imported, `routes_problem` when the routes cannot be
built, else `routes` as pairs of method and path. Whatever the plugin prints does no harm.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexus.plugins.host import Blueprint


async def probe(folder: Path, name: str, own_names: tuple[str, ...]) -> dict[str, Any]:
    """Import the plugin, make it, and build its routes; `initialize` is never called."""
    from nexus.plugins.discovery import Origin, read_plugin
    from nexus.plugins.host import Blueprint

    manifest = read_plugin(folder, Origin.FOLDER, own_names, name).manifest
    if manifest is None:
        return {"problem": "Its manifest is invalid."}
    blueprint = Blueprint(manifest=manifest, folder=folder, own_names=own_names, number=1)
    plugin, problem = _make(blueprint)
    if problem:
        return {"problem": problem}
    try:
        return {"routes": _routes(name, plugin.get_api_routes())}
    except BaseException as error:  # noqa: BLE001 - the border of plugin code
        return _routes_problem(error)


def _make(blueprint: "Blueprint") -> tuple[Any, str]:
    from importlib import import_module

    from nexus.plugins.bytecode import BytecodeCache
    from nexus.plugins.importer import GenerationImporter
    from nexus.plugins.load_error import import_failure, making_failure
    from nexus.plugins.plugin_class import make_plugin

    name = blueprint.manifest.name
    importer = GenerationImporter(BytecodeCache(None))
    importer.install()
    package = importer.add(name, 1, blueprint.folder, blueprint.own_names)
    try:
        module = import_module(f"{package}.plugin")
    except BaseException as error:  # noqa: BLE001 - the border of plugin code
        return None, import_failure(error, blueprint).render()
    try:
        plugin = make_plugin(module, name)
    except BaseException as error:  # noqa: BLE001 - the border of plugin code
        return None, making_failure(error, blueprint).render()
    if not hasattr(plugin, "_nexus_context"):
        return None, "Its __init__() does not call super().__init__(). Make that its first line."
    return plugin, ""


def _routes(name: str, routers: object) -> list[tuple[str, str]]:
    from starlette.routing import Mount

    from nexus.web.route_paths import accepted_routers, walk_routers

    routes: list[tuple[str, str]] = []
    for path, route in walk_routers(accepted_routers(name, routers)):
        if isinstance(route, Mount):
            continue
        methods: Any = getattr(route, "methods", None)
        routes += [(method, path) for method in sorted(methods or {"WEBSOCKET"})]
    return routes


def _routes_problem(error: BaseException) -> dict[str, Any]:
    from nexus.errors import NexusError

    if isinstance(error, NexusError):
        return {"routes_problem": error.render(), "certain": True}
    text = f"get_api_routes() raised {type(error).__name__}: {error}"
    return {"routes_problem": text, "certain": False}


def main(request: str, result: str) -> None:
    """Answer one request."""
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    answer = asyncio.run(probe(Path(asked["folder"]), asked["name"], tuple(asked["own_names"])))
    Path(result).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
