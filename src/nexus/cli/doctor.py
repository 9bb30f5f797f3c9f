"""`nexus doctor`: looks at everything that an application needs, without starting it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output, count, styled

if TYPE_CHECKING:
    from nexus.cli.diagnosis.line import Line
    from nexus.config import Settings


def doctor(
    all_settings: Annotated[
        bool, typer.Option("--all", help="Show the settings that have their default too.")
    ] = False,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check versions, settings, data folder, database, plugins and port.

    The exit code is 1 when there is an error, and 0 when there are only warnings.
    """
    from nexus.cli.diagnosis import diagnose_installation, diagnose_settings
    from nexus.cli.folder import application_folder
    from nexus.config import load_settings
    from nexus.errors import InvalidSettings

    out = Output(as_json=as_json)
    folder = application_folder(app_folder)
    sections: dict[str, Sequence[Line]] = {"Installation": diagnose_installation()}
    settings: Settings | None = None
    try:
        settings = load_settings(folder)
    except InvalidSettings as error:
        sections["Settings"] = diagnose_settings(None, error)
    if settings is not None:
        with out.waiting("Looking at everything"):
            sections |= _look(settings)
    values = [] if settings is None else _values(settings, all_settings=all_settings)
    lines = [line for each in sections.values() for line in each]
    failed = any(line.level == "error" for line in lines)
    document = {
        "ok": not failed,
        "folder": str(folder),
        "checks": [
            {
                "section": section,
                "level": line.level,
                "subject": line.subject,
                "message": line.message,
                "advice": line.advice,
            }
            for section, some in sections.items()
            for line in some
        ],
        "settings": values,
    }
    out.result(document, lambda: _show(out, folder, sections, values))
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _look(settings: "Settings") -> "dict[str, Sequence[Line]]":
    from nexus.cli.diagnosis import (
        diagnose_data,
        diagnose_events,
        diagnose_extras,
        diagnose_plugins,
        diagnose_server,
        diagnose_settings,
    )

    return {
        "Settings": [*diagnose_settings(settings, None), *diagnose_extras(settings)],
        "Data": [*diagnose_data(settings), *diagnose_events(settings)],
        "Plugins": diagnose_plugins(settings),
        "Server": diagnose_server(settings),
    }


def _values(settings: "Settings", *, all_settings: bool) -> list[dict[str, Any]]:
    from nexus.config import MASK, describe_settings

    sources = settings.sources()
    values = settings.shown()
    found = []
    for each in describe_settings():
        source = sources[each.path]
        if each.path == "plugins" or (source == "default" and not all_settings):
            continue
        value: Any = values
        for part in each.path.split("."):
            value = value[part]
        shown = MASK if each.secret and value is not None else value
        found.append({"path": each.path, "value": shown, "source": source})
    return found


def _show(
    out: Output,
    folder: Path,
    sections: "dict[str, Sequence[Line]]",
    values: list[dict[str, Any]],
) -> None:
    out.say(f"The application in {folder}", style="bold")
    for section, lines in sections.items():
        out.say(f"\n{section}", style="bold")
        table = out.table("", "", "")
        table.show_header = False
        table.columns[0].no_wrap = True
        for line in lines:
            text = f"{line.message} {line.advice}".strip()
            table.add_row(styled(line.level), line.subject, text)
        out.console.print(table)
        if section == "Settings" and values:
            _show_values(out, values)
    every = [line.level for lines in sections.values() for line in lines]
    errors, warnings = every.count("error"), every.count("warning")
    style = "red" if errors else "yellow" if warnings else "green"
    out.say(f"\n{count(errors, 'error')}, {count(warnings, 'warning')}", style=style)


def _show_values(out: Output, values: list[dict[str, Any]]) -> None:
    from rich.padding import Padding

    from nexus.cli.output import shown

    table = out.table("Setting", "Value", "From")
    for each in values:
        table.add_row(each["path"], shown(each["value"]), each["source"])
    out.console.print(Padding(table, (0, 0, 0, 2), expand=False))
