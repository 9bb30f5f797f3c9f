"""`nexus plugin create`: makes a plugin that works."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from nexus.cli.errors import AlreadyThere, CannotWrite, PluginNameRefused
from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output
from nexus.cli.template import template_text

_FILES: Final = (
    "manifest.json",
    "__init__.py",
    "plugin.py",
    "README.md",
    "config/default.yaml",
    "tests/__init__.py",
    "tests/test_plugin.py",
)


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new plugin.")],
    category: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Its category: the plugin is made in plugins/<category>/<name>."
        ),
    ] = None,
    app_folder: AppFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make a plugin with routes, an event handler, data, settings and tests.

    Nothing is overwritten.
    """
    from nexus.cli.folder import application_settings

    _refuse_bad_name(name)
    if category is not None:
        _refuse_bad_name(category)
    settings = application_settings(app_folder)
    # Not among the platform's own.
    plugins = settings.root / next(iter(settings.plugin_paths), Path("plugins"))
    _refuse_twin(name, settings.plugin_folders)
    folder = plugins / category / name if category else plugins / name
    if folder.exists():
        raise AlreadyThere(path=str(folder), advice="Choose another name, or remove it first.")
    _write(folder, name, category, plugins)
    out = Output(as_json=as_json)
    document = {"name": name, "folder": str(folder), "files": list(_FILES)}
    out.result(document, lambda: _show(out, name, folder, settings.root, app_folder))


def _refuse_bad_name(name: str) -> None:
    from nexus.manifest.names import PLUGIN_NAME

    refusal = PLUGIN_NAME.refuse(name)
    if refusal is not None:
        raise PluginNameRefused(
            name=name, expected=refusal.expected, suggestion=_usable(refusal.nearest)
        )


def _usable(suggestion: str | None) -> str | None:
    from nexus.manifest import refuse_plugin_name

    if suggestion is None or refuse_plugin_name(suggestion) is not None:
        return None
    return suggestion


def _refuse_twin(name: str, plugin_folders: tuple[Path, ...]) -> None:
    from nexus.plugins.discovery import discover

    for found in discover(plugin_folders):
        if found.name == name:
            raise AlreadyThere(
                path=str(found.folder), advice="There is one plugin of a name; choose another."
            )


def _write(folder: Path, name: str, category: str | None, plugins: Path) -> None:
    values = _values(name, category, plugins)
    try:
        for file in _FILES:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            text = template_text(f"plugin/{file}.txt", **values)
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
        if category:
            marker = plugins / category / "__init__.py"
            if not marker.exists():
                # With it, type checkers give the plugin's modules one name, not two.
                title = category.replace("_", " ").capitalize()
                marker.write_text(f'"""{title} plugins."""\n', encoding="utf-8")
    except OSError as error:
        raise CannotWrite(path=str(folder), problem=error.strerror or str(error)) from error


def _values(name: str, category: str | None, plugins: Path) -> dict[str, str]:
    from nexus._version import __version__

    words = name.split("_")
    package = ".".join(filter(None, [plugins.name, category, name]))
    return {
        "name": name,
        "title": " ".join(words).capitalize(),
        "class_name": "".join(word.capitalize() for word in words) + "Plugin",
        "category": json.dumps(category or "general"),
        "package": package,
        "path": package.replace(".", "/"),
        "nexus_version": ".".join(__version__.split(".")[:2]),
    }


def _show(out: Output, name: str, folder: Path, root: Path, app_folder: Path | None) -> None:
    place = folder.relative_to(root) if folder.is_relative_to(root) else folder
    out.say(f"Made the plugin {name} in {place}:", style="bold")
    for file in _FILES:
        out.say(f"  {file}")
    out.say("Next:", style="bold")
    out.pairs(
        [
            (f"nexus plugin test {name}", "run its tests (needs pytest)"),
            (f"nexus plugin check {name}", "hold its code against its manifest"),
            _serving(name, app_folder),
        ]
    )


def _serving(name: str, app_folder: Path | None) -> tuple[str, str]:
    from nexus.cli.connection import Where, maybe_connected

    with maybe_connected(Where(folder=app_folder)) as (client, _):
        if client is not None:
            return f"nexus plugin enable {name}", "bring it into the running application"
        return "nexus run --reload", f"serve it at /plugins/{name}/greetings"
