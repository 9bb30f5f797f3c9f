"""`nexus run --reload`: reloads just the plugin whose files have changed."""

import asyncio
import contextlib
import logging
import re
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.cli.output import Output, print_json_line
from nexus.cli.written import Drafts
from nexus.errors import NexusError
from nexus.plugins.state import PluginState, PluginStatus

if TYPE_CHECKING:
    from nexus.app import NexusApp

_IGNORED_FOLDERS: Final = frozenset(
    {"__pycache__", "tests", "data", "migrations", "node_modules", "site-packages", "venv"}
)
"""What a plugin does without. A migration that has just been written is to be read before it
runs, so it waits for a reload that somebody asks for, or for the next change of the code."""

_IGNORED_FILES: Final = re.compile(r".*(~|\.py[co]|\.sw[a-z]|\.tmp|\.bak|\.orig)|\..*|#.*#|4913")
"""Drafts, backups and locks of editors; 4913 is how vim asks whether it may write."""

_PATIENCE: Final = 5.0
"""Seconds to wait for the plugins that start or stop because of a change of another."""

RESTART_FILES: Final = frozenset({"main.py", "nexus.yaml"})


def concerns_plugins(path: Path, folders: Iterable[Path]) -> bool:
    """Tell whether a changed file may change what a plugin does.

    Args:
        path: The file, absolute.
        folders: The folders with plugins, absolute.
    """
    for folder in folders:
        if path.is_relative_to(folder):
            *parents, name = path.relative_to(folder).parts or ("",)
            if any(part in _IGNORED_FOLDERS or part.startswith(".") for part in parents):
                return False
            return name not in _IGNORED_FOLDERS and not _IGNORED_FILES.fullmatch(name)
    return False


async def reload_on_change(out: Output, app: "NexusApp") -> None:
    """Watch the folders of plugins and the application's own files, until cancelled."""
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells each change at INFO
    folders = [folder.resolve() for folder in app.settings.plugin_folders if folder.is_dir()]
    async with asyncio.TaskGroup() as watching:
        watching.create_task(_watch_settings(out, app), name="nexus.run.reload.settings")
        if folders:
            watching.create_task(_watch_plugins(out, app, folders), name="nexus.run.reload.plugins")


async def _watch_plugins(out: Output, app: "NexusApp", folders: list[Path]) -> None:
    from watchfiles import awatch

    drafts = Drafts()
    # Its own filter looks at the whole path, and an application may well lie below "tests".
    async for changes in awatch(*folders, watch_filter=None):
        paths = [Path(path) for _, path in changes]
        relevant = [path for path in paths if concerns_plugins(path, folders)]
        relevant = await drafts.written(relevant)
        if relevant:
            await bring_in(out, app, relevant)


async def _watch_settings(out: Output, app: "NexusApp") -> None:
    from watchfiles import awatch

    async for changes in awatch(app.settings.root, watch_filter=None, recursive=False):
        for name in sorted({Path(path).name for _, path in changes} & RESTART_FILES):
            _tell(out, f"{name} has changed; restart to use it", "yellow")


async def bring_in(out: Output, app: "NexusApp", paths: list[Path]) -> None:
    """Reload the plugins that changed files belong to, and tell what came of it.

    Args:
        out: Where it is told.
        app: The running application.
        paths: The files, absolute.
    """
    owners = {each.name: each.found.folder.resolve() for each in app.manager.controllers()}
    changed: set[str] = set()
    elsewhere = False
    for path in paths:
        name = next((name for name, at in owners.items() if path.is_relative_to(at)), None)
        if name is not None and owners[name].is_dir():
            changed.add(name)
        else:
            elsewhere = True
    before = _statuses(app)
    for name in sorted(changed):
        await _reload(out, app, name)
    if elsewhere:
        try:
            await _rescan(out, app)
        except NexusError as error:  # the database may be away; the next change tries again
            _tell(out, error.render(), "red")
    with contextlib.suppress(TimeoutError):  # one that hangs must not hold up the next reload
        async with asyncio.timeout(_PATIENCE):
            await app.manager.settle()
    _tell_others(out, before, _statuses(app), changed)


def _statuses(app: "NexusApp") -> dict[str, PluginStatus]:
    return {each.name: each.status for each in app.manager.controllers()}


def _tell_others(
    out: Output,
    before: Mapping[str, PluginStatus],
    after: Mapping[str, PluginStatus],
    changed: Collection[str],
) -> None:
    """Tell which plugins have started or stopped because of a change of another."""
    for name in sorted((before.keys() & after.keys()) - set(changed)):
        old, new = before[name].state, after[name].state
        if old is not PluginState.RUNNING and new is PluginState.RUNNING:
            _tell(out, f"{name} started (generation {after[name].generation})", "green")
        elif old is PluginState.RUNNING and new not in (old, PluginState.DORMANT):
            _tell(out, f"{name} stopped; it is {new}: {after[name].reason}", "yellow")


async def _reload(out: Output, app: "NexusApp", name: str) -> None:
    before = app.manager.status(name)
    did = "reloaded" if before is not None and before.generation else "started"
    began = time.perf_counter()
    try:
        status = await app.manager.reload(name)
    except NexusError as error:
        _tell(out, error.render(), "red")
        return
    took = (time.perf_counter() - began) * 1000
    if status.state is PluginState.RUNNING:
        _tell(out, f"{name} {did} in {took:.0f} ms (generation {status.generation})", "green")
    else:
        _tell(out, f"{name} is {status.state}: {status.reason}", "yellow")


async def _rescan(out: Output, app: "NexusApp") -> None:
    before = set(app.manager.names())
    new = await app.manager.rescan()
    await app.manager.settle()
    for name in sorted(before - set(app.manager.names())):
        _tell(out, f"{name} has gone", "yellow")
    for name in new:
        status = app.manager.status(name)
        if status is not None and status.state is PluginState.RUNNING:
            _tell(out, f"{name} was found and runs", "green")
        elif status is not None:
            _tell(out, f"{name} was found and is {status.state}: {status.reason}", "yellow")


def _tell(out: Output, text: str, style: str) -> None:
    if out.as_json:
        print_json_line({"event": "reload", "message": text})
        return
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    out.say(f"{now} {text}", style=style)
    sys.stdout.flush()
