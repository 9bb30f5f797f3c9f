"""`nexus plugin check`: holds plugins against their manifests without running them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import STATE_STYLES, Output, count

if TYPE_CHECKING:
    from nexus.cli.checks import Finding
    from nexus.plugins.discovery import DiscoveredPlugin


def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|PATH]...", help="Plugins by name or by folder; all when left out."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Take warnings as errors, as a CI job should.")
    ] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check manifest, code, routes, events, permissions, settings and requirements.

    The code is imported in a process of its own, and initialize() is never called. Events are
    compared with those of all plugins of the application.
    """
    out = Output(as_json=as_json)
    plugins = _find(targets or [], app_folder)
    with out.waiting("Comparing events"):
        of_events = _compare_events(plugins, app_folder)
    reports: list[tuple[DiscoveredPlugin, list[Finding]]] = []
    for plugin in plugins:
        with out.waiting(f"Checking {plugin.name}"):
            found = [*_check(plugin, Path.cwd()), *of_events.get(plugin.name, ())]
            found.sort(key=lambda each: ("error", "warning", "note").index(each.level))
            reports.append((plugin, found))
    failed = any(_fails(findings, strict=strict) for _, findings in reports)
    document = {
        "ok": not failed,
        "items": [
            {
                "name": plugin.name,
                "folder": str(plugin.folder),
                "ok": not _fails(findings, strict=strict),
                "findings": [
                    {"level": str(each.level), "place": each.place, "message": each.message}
                    for each in findings
                ],
            }
            for plugin, findings in reports
        ],
    }
    out.result(document, lambda: _show(out, reports, strict=strict))
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _find(targets: Sequence[str], app_folder: Path | None) -> "list[DiscoveredPlugin]":
    from nexus.plugins.discovery import Origin, discover, read_plugin

    found: list[DiscoveredPlugin] = []
    names: list[str] = []
    for target in targets:
        folder = Path(target).absolute()
        if folder.is_dir() and ("/" in target or (folder / "manifest.json").is_file()):
            own_names = (f"{folder.parent.name}.{folder.name}", f"plugins.{folder.name}")
            found.append(read_plugin(folder, Origin.FOLDER, own_names))
        else:
            names.append(target)
    if names or not targets:
        from nexus.cli.folder import application_settings

        known = {
            each.name: each for each in discover(application_settings(app_folder).plugin_folders)
        }
        found += [_named(name, known) for name in names] if targets else list(known.values())
    return found


def _named(name: str, known: "dict[str, DiscoveredPlugin]") -> "DiscoveredPlugin":
    from nexus.errors import PluginNotFound

    if name not in known:
        raise PluginNotFound(name=name, known=tuple(known))
    return known[name]


def _check(plugin: "DiscoveredPlugin", root: Path) -> "list[Finding]":
    from nexus.cli.checks import (
        check_code,
        check_configuration,
        check_import_and_routes,
        check_requirements,
    )
    from nexus.cli.checks.finding import of_problem

    findings = [of_problem(problem) for problem in plugin.problems]
    findings += check_requirements(plugin.folder)
    if plugin.manifest is not None:
        findings += check_configuration(plugin.folder, plugin.manifest)
        findings += check_code(plugin.folder, plugin.manifest)
        findings += check_import_and_routes(plugin, root)
    return findings


def _compare_events(
    plugins: "Sequence[DiscoveredPlugin]", app_folder: Path | None
) -> "Mapping[str, Sequence[Finding]]":
    """Hold the events of plugins against those of all others that the application has."""
    from nexus.cli.checks import EventsOfCode, Party, check_events, events_of_code
    from nexus.cli.folder import application_settings
    from nexus.errors import NexusError
    from nexus.plugins.discovery import discover

    everybody = {each.name: each for each in plugins}
    is_whole = True
    try:
        for each in discover(application_settings(app_folder).plugin_folders):
            everybody.setdefault(each.name, each)
    except NexusError:  # folders that are in no application, or in one whose settings are wrong
        is_whole = False
    parties = []
    for each in everybody.values():
        code = None if each.manifest is None else events_of_code(each.folder, each.manifest)
        is_whole = is_whole and code is not None
        if each.manifest is not None:
            parties.append(Party(manifest=each.manifest, code=code or EventsOfCode()))
    return check_events(parties, [each.name for each in plugins], is_whole=is_whole)


def _fails(findings: "Sequence[Finding]", *, strict: bool) -> bool:
    failing = {"error", "warning"} if strict else {"error"}
    return any(each.level in failing for each in findings)


def _show(out: Output, reports: Sequence[tuple[Any, Any]], *, strict: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    if not reports:
        out.say("No plugins to check. Make one: nexus plugin create hello")
    for plugin, findings in reports:
        verdict = "failed" if _fails(findings, strict=strict) else "ok"
        summary = ", ".join(
            count(number, level)
            for level in ("error", "warning", "note")
            if (number := sum(each.level == level for each in findings))
        )
        out.console.print(
            Text.assemble(
                (plugin.name, "bold"),
                ": ",
                (verdict, STATE_STYLES[verdict]),
                f" ({summary})" if summary else "",
            )
        )
        for each in findings:
            line = Text.assemble(
                (each.level, STATE_STYLES[each.level]), f" {each.place}: {each.message}"
            )
            out.console.print(Padding(line, (0, 0, 0, 2)))
