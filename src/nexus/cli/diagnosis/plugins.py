"""The plugins: which ones would start, in which order, and which would not, and why."""

import asyncio
from collections.abc import Sequence

from nexus.cli.checks import check_requirements
from nexus.cli.diagnosis.line import Line, error, ok, warning
from nexus.cli.stored import Outlook, stored_application
from nexus.config import Settings
from nexus.errors import NexusError
from nexus.plugins.state import PluginState


def diagnose_plugins(settings: Settings) -> Sequence[Line]:
    """Judge all plugins as a start would, without importing any of their code."""
    lines = [
        warning("plugin_paths", f"{folder} does not exist.", "Make it, or change plugin_paths.")
        for folder in settings.plugin_folders
        if not folder.is_dir()
    ]
    try:
        outlooks, order = asyncio.run(_judge(settings))
    except NexusError as trouble:
        return [*lines, error("plugins", f"cannot be judged: {trouble.render()}")]
    unused = settings.unused_plugins(each.found.name for each in outlooks)
    lines += [warning("settings", text) for text in unused]
    if not outlooks:
        return [*lines, ok("plugins", "none yet; make one: nexus plugin create hello")]
    if order:
        lines.append(ok("order", " > ".join(order)))
    for outlook in outlooks:
        lines += _lines(outlook)
    return lines


async def _judge(settings: Settings) -> tuple[list[Outlook], tuple[str, ...]]:
    async with stored_application(settings) as stored:
        outlooks, plan = await stored.outlooks()
        return outlooks, plan.order


def _lines(outlook: Outlook) -> list[Line]:
    name, manifest = outlook.found.name, outlook.found.manifest
    lines: list[Line] = []
    match outlook.state:
        case PluginState.INVALID:
            lines.append(error(name, outlook.reason, f"See 'nexus plugin check {name}'."))
        case PluginState.BLOCKED:
            lines.append(warning(name, outlook.reason))
        case PluginState.DISABLED:
            lines.append(ok(name, "disabled by an operator"))
        case _:
            lines.append(ok(name, f"{manifest.version if manifest else ''} would start"))
    lines += [
        warning(name, f"{problem}.") for problem in outlook.found.problems if manifest is not None
    ]
    if outlook.state is not PluginState.DISABLED:
        lines += [error(name, each.message) for each in check_requirements(outlook.found.folder)]
    return lines
