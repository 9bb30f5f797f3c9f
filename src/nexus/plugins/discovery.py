"""Finds plugins, and reads their manifests; imports nothing of theirs."""

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from nexus.config.settings import BUILTIN_FOLDER
from nexus.manifest.problems import Problem

if TYPE_CHECKING:
    from nexus.manifest import Manifest

ENTRY_POINT_GROUP = "nexus.plugins"


class Origin(StrEnum):
    """Where a plugin was found."""

    BUILTIN = "builtin"
    FOLDER = "folder"
    DISTRIBUTION = "distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredPlugin:
    """A plugin as it was found, with what its manifest says or what is wrong with it.

    Attributes:
        name: The manifest's name; the folder's when the manifest cannot be read.
        folder: Where its files are.
        origin: A plugin folder, an installed distribution, or the platform itself.
        manifest: The manifest, or None when it has errors.
        problems: Errors and warnings of the manifest and of the folder.
        own_names: Absolute package names by which its code may import itself.
        is_double: Whether there is another plugin of its name.
    """

    name: str
    folder: Path
    origin: Origin
    manifest: "Manifest | None"
    problems: tuple[Problem, ...]
    own_names: tuple[str, ...]
    is_double: bool = False

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Give the problems that keep the plugin from being used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def discover(plugin_paths: Sequence[Path]) -> tuple[DiscoveredPlugin, ...]:
    """Find every plugin in the given folders and in the installed distributions.

    A plugin is `<path>/<name>/` or `<path>/<category>/<name>/` with a `manifest.json`, or a
    package that a distribution names in the entry-point group `nexus.plugins`; a path below
    `nexus/builtin` is itself the folder of a plugin that ships with the platform. What has the same
    name as another is invalid, and so is the other. A folder that cannot be read stands, as
    invalid, for the plugins in it.

    Returns:
        The plugins, sorted by name.
    """
    found = [plugin for path in plugin_paths for plugin in _in_folder(path)]
    found.extend(_installed())
    return tuple(sorted(_without_doubles(found), key=lambda plugin: plugin.name))


def read_plugin(
    folder: Path, origin: Origin, own_names: tuple[str, ...], name: str | None = None
) -> DiscoveredPlugin:
    """Read one plugin's folder.

    Args:
        folder: The plugin's folder.
        origin: Where it was found.
        own_names: Absolute package names by which its code may import itself.
        name: The plugin's name; the folder's own when left out.
    """
    from nexus.manifest import read_manifest

    result = read_manifest(folder, name=name)
    problems = result.problems
    if not _is_file(os.path.join(folder, "plugin.py")):  # noqa: PTH118 - a start has many
        expected = "the module with the plugin's class"
        problems = (*problems, _error("plugin.py", "no such file", expected))
    has_errors = any(problem.severity == "error" for problem in problems)
    return DiscoveredPlugin(
        name=result.name,
        folder=folder,
        origin=origin,
        manifest=None if has_errors else result.manifest,
        problems=problems,
        own_names=own_names,
    )


def _in_folder(path: Path) -> Iterator[DiscoveredPlugin]:
    if path.parent == BUILTIN_FOLDER:
        yield read_plugin(path, Origin.BUILTIN, (f"nexus.builtin.{path.name}",))
        return
    try:
        children = _folders(path)
    except OSError as error:
        yield _unreadable(path, error)
        return
    for child in children:
        if _looks_like_plugin(child):
            yield read_plugin(child, Origin.FOLDER, _own_names(path, child.name))
            continue
        try:
            grandchildren = _folders(child)
        except OSError as error:
            yield _unreadable(child, error)
            continue
        for grandchild in grandchildren:
            if _looks_like_plugin(grandchild):
                name = grandchild.name
                own = (
                    *_own_names(path, f"{child.name}.{name}"),
                    *_own_names(path, name),
                )
                yield read_plugin(grandchild, Origin.FOLDER, own)


def _own_names(path: Path, module: str) -> tuple[str, ...]:
    # `plugins.` whatever the folder is called, since that is what the testing kit imports.
    return tuple(dict.fromkeys((f"plugins.{module}", f"{path.name}.{module}")))


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as found:
            entries = [each for each in found if each.name[0] not in "._" and _may_hold_one(each)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path / name for name in sorted(each.name for each in entries)]


def _unreadable(folder: Path, error: OSError) -> DiscoveredPlugin:
    expected = "a folder that this process may list"
    found = f"unreadable ({error.strerror or error})"
    return DiscoveredPlugin(
        name=folder.name,
        folder=folder,
        origin=Origin.FOLDER,
        manifest=None,
        problems=(_error(str(folder), found, expected),),
        own_names=(),
    )


def _may_hold_one(entry: "os.DirEntry[str]") -> bool:
    if entry.is_dir(follow_symlinks=False):
        return True
    # A link that leads nowhere is a plugin that has lost its files, which somebody should see.
    where = entry.path
    return entry.is_symlink() and (os.path.isdir(where) or not os.path.exists(where))  # noqa: PTH110, PTH112 - raise nothing


def _looks_like_plugin(folder: Path) -> bool:
    # A dangling link or a folder in the manifest's place is a broken plugin, not a category.
    manifest = os.path.join(folder, "manifest.json")  # noqa: PTH118 - a start has many
    if os.path.lexists(manifest) or _is_file(os.path.join(folder, "plugin.py")):  # noqa: PTH118
        return True
    return not os.access(folder, os.R_OK | os.X_OK)  # to be listed with the reason


def _is_file(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - unlike Path.is_file it raises nothing


def _installed() -> Iterator[DiscoveredPlugin]:
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        folder = _package_folder(entry.module)
        if folder is not None:
            yield read_plugin(folder, Origin.DISTRIBUTION, (entry.module,), entry.name)
            continue
        expected = "an installed package with manifest.json and plugin.py in it"
        yield DiscoveredPlugin(
            name=entry.name,
            folder=Path(entry.module.replace(".", "/")),
            origin=Origin.DISTRIBUTION,
            manifest=None,
            problems=(_error(f"entry point {entry.name}", repr(entry.value), expected),),
            own_names=(entry.module,),
        )


def _package_folder(module: str) -> Path | None:
    # Only the outermost package is looked up: finding a nested one would import its parents.
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module without a spec, or an empty name
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)), *rest)
    return folder if folder.is_dir() else None


def _without_doubles(found: Iterable[DiscoveredPlugin]) -> Iterator[DiscoveredPlugin]:
    by_name: dict[str, list[DiscoveredPlugin]] = {}
    for plugin in found:
        by_name.setdefault(plugin.name, []).append(plugin)
    for name, namesakes in by_name.items():
        first = namesakes[0]
        places = {}
        if len(namesakes) > 1:
            # One folder may be found twice, when plugin paths overlap; the first counts.
            places = {os.path.realpath(each.folder): each for each in reversed(namesakes)}
        if len(places) < 2:  # noqa: PLR2004 - one folder, or one plugin of the name
            yield first
            continue
        folders = " and ".join(str(plugin.folder) for plugin in reversed(places.values()))
        expected = "one plugin of a name; remove or rename the others"
        problem = _error("$.name", f"{name!r} in {folders}", expected)
        problems = (*first.problems, problem)
        yield replace(first, manifest=None, problems=problems, is_double=True)


def _error(path: str, found: str, expected: str) -> Problem:
    return Problem(path=path, found=found, expected=expected, nearest=None, severity="error")
