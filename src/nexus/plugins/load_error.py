"""Puts into words why a plugin's code could not be turned into a plugin object."""

import traceback
from pathlib import Path

from nexus.errors import PluginLoadError
from nexus.plugins.host import Blueprint
from nexus.plugins.importer import ROOT


def import_failure(error: BaseException, blueprint: Blueprint) -> PluginLoadError:
    """Tell of a failed import, with the place in the plugin's own code."""
    if isinstance(error, PluginLoadError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return _missing_module(error, blueprint)
    name = blueprint.manifest.name
    if isinstance(error, SyntaxError):
        place = f"{error.filename}, line {error.lineno}"
        return PluginLoadError(plugin=name, problem=f"Syntax error in {place}: {error.msg}.")
    return PluginLoadError(plugin=name, problem=f"Importing its code {_raised(error, blueprint)}")


def making_failure(error: BaseException, blueprint: Blueprint) -> PluginLoadError:
    """Tell of a plugin object that could not be made."""
    if isinstance(error, PluginLoadError):
        return error
    problem = f"Making the plugin {_raised(error, blueprint)}"
    return PluginLoadError(plugin=blueprint.manifest.name, problem=problem)


def _missing_module(error: ModuleNotFoundError, blueprint: Blueprint) -> PluginLoadError:
    name, missing = blueprint.manifest.name, error.name or ""
    if missing.startswith(ROOT + "."):
        own = ".".join(missing.split(".")[2:])
        file = Path(blueprint.folder, *own.split("."))
        problem = f"Its code imports its own module {own!r}, which is not there."
        advice = f"Expected {file}.py, or a folder of that name."
        return PluginLoadError(plugin=name, problem=problem, advice=advice)
    requirements = blueprint.folder / "requirements.txt"
    advice = (
        f"Install it with 'pip install -r {requirements}'."
        if requirements.is_file()
        else "Install it, and name its distribution in the plugin's requirements.txt."
    )
    problem = f"Its code needs the module {missing!r}, which is not installed."
    return PluginLoadError(plugin=name, problem=problem, advice=advice)


def _raised(error: BaseException, blueprint: Blueprint) -> str:
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(blueprint.folder)
    ]
    place = f" at {own[-1].filename}, line {own[-1].lineno}" if own else ""
    text = f": {error}" if str(error) else "."
    return f"raised {type(error).__name__}{place}{text}"
