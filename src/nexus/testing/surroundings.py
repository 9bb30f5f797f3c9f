"""Which application, and which plugin, a test file belongs to.

pytest asks this for every folder that it collects, so nothing here imports more than it must.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

SETTINGS_FILE = "nexus.yaml"
MANIFEST_FILE = "manifest.json"
DEFAULT_PLUGIN_FOLDER = "plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginUnderTest:
    """The plugin that a test file lies in.

    Attributes:
        name: Its name: the manifest's, or the folder's when the manifest cannot be read.
        folder: Where its files are.
    """

    name: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lies around a test file.

    Attributes:
        root: The application's folder; None for a plugin that lies by itself.
        plugin_paths: The folders that hold the application's plugins.
        plugin: The plugin that the file lies in; None for a test of the application.
    """

    root: Path | None
    plugin_paths: tuple[Path, ...]
    plugin: PluginUnderTest | None

    @property
    def application(self) -> tuple[Path, ...]:
        """Tell applications apart: files with an equal value share their plugins."""
        if self.root is None and self.plugin is not None:
            return (self.plugin.folder,)
        return self.plugin_paths

    def folder_of(self, name: str) -> Path | None:
        """Give the folder of a plugin, which may lie in a folder for its category."""
        if self.plugin is not None and self.plugin.name == name:
            return self.plugin.folder
        for path in self.plugin_paths:
            for manifest in (path / name / MANIFEST_FILE, *path.glob(f"*/{name}/{MANIFEST_FILE}")):
                if manifest.is_file():
                    return manifest.parent
        return None


@cache
def surroundings_of(folder: Path) -> Surroundings | None:
    """Say what the files of a folder belong to; None when that is no Nexus application or plugin.

    An application's folder has `nexus.yaml`, or a folder `plugins` with the plugin that the files
    lie in. A plugin may also lie by itself, in a repository of its own, say: then its folder has
    `manifest.json` and a `plugin.py` that speaks of Nexus.
    """
    plugin_folder = _nearest(folder, MANIFEST_FILE)
    root = _nearest(folder, SETTINGS_FILE)
    paths = () if root is None else _plugin_paths(root)
    if plugin_folder is not None:
        holder = next((path for path in paths if _holds(path, plugin_folder)), None)
        if holder is None:
            root, paths = _implied(plugin_folder, root, paths)
        plugin = PluginUnderTest(name=_name_of(plugin_folder), folder=plugin_folder)
        if root is not None and any(_holds(path, plugin_folder) for path in paths):
            return Surroundings(root=root, plugin_paths=paths, plugin=plugin)
        if _speaks_of_nexus(plugin_folder / "plugin.py"):
            return Surroundings(root=None, plugin_paths=(), plugin=plugin)
    if root is not None:
        return Surroundings(root=root, plugin_paths=paths, plugin=None)
    return None


def _nearest(folder: Path, file: str) -> Path | None:
    return next((each for each in (folder, *folder.parents) if (each / file).is_file()), None)


def _holds(path: Path, plugin_folder: Path) -> bool:
    return path in (plugin_folder.parent, plugin_folder.parent.parent)


def _implied(
    plugin_folder: Path, root: Path | None, paths: tuple[Path, ...]
) -> tuple[Path | None, tuple[Path, ...]]:
    """Take a folder `plugins` around a plugin for an application's that has no nexus.yaml."""
    for path in (plugin_folder.parent, plugin_folder.parent.parent):
        if path.name == DEFAULT_PLUGIN_FOLDER:
            return path.parent, (path,)
    return root, paths


def _plugin_paths(root: Path) -> tuple[Path, ...]:
    from nexus.config import load_settings
    from nexus.errors import InvalidSettings

    try:
        return load_settings(root).plugin_folders
    except InvalidSettings:
        # A unit test needs no settings; the fixture of an application tells what is wrong.
        return (root / DEFAULT_PLUGIN_FOLDER,)


def _name_of(folder: Path) -> str:
    import json

    try:
        name = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return folder.name
    return name if isinstance(name, str) else folder.name


def _speaks_of_nexus(module: Path) -> bool:
    try:
        return b"nexus" in module.read_bytes()
    except OSError:
        return False
