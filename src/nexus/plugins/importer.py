"""Imports each generation of a plugin under a package name of its own.

`nexus_generations.<plugin>_<number>` is the package; the plugin's folder is its path. Bytecode is
kept in the data folder, never beside the source, and is found by the source's hash: a stale file
after a quick edit cannot be taken for the new one.
"""

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import threading
from collections.abc import Sequence
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from typing_extensions import override

from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.own_imports import OwnImports

ROOT = "nexus_generations"


class GenerationLoader(importlib.machinery.SourceFileLoader):
    """Loads one module of a generation from source or from the bytecode cache."""

    def __init__(self, fullname: str, path: str, cache: BytecodeCache, own: OwnImports) -> None:
        super().__init__(fullname, path)
        self._cache = cache
        self._own = own

    @override
    def get_code(self, fullname: str) -> CodeType:
        """Give the module's code; SyntaxError and OSError are the caller's to report."""
        path = self.get_filename(fullname)
        source = self.get_data(path)
        flavor = self._own.depth_of(fullname)
        return self._cache.get(
            path, source, flavor, lambda: self._own.compile(source, path, flavor)
        )


class _EmptyLoader(importlib.abc.Loader):
    """Loads a folder without `__init__.py` as a package.

    Attributes:
        path: The file that is not there; its folder holds the package's resources.
    """

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "__init__.py")  # noqa: PTH118

    def get_resource_reader(self, _fullname: str) -> Any:
        """Give what `importlib.resources` reads the folder's files with."""
        from importlib.readers import FileReader

        return FileReader(self)  # type: ignore[arg-type] # it reads the attribute `path`, no more

    @override
    def exec_module(self, module: ModuleType) -> None:
        """Leave the package empty."""


class _Package:
    """What the finder knows of one generation."""

    __slots__ = ("folder", "own")

    def __init__(self, folder: Path, own: OwnImports) -> None:
        self.folder = folder
        self.own = own


class GenerationImporter(importlib.abc.MetaPathFinder):
    """Finds the modules of generations; one an application.

    Args:
        cache: Where bytecode is kept.
    """

    def __init__(self, cache: BytecodeCache) -> None:
        self._cache = cache
        self._packages: dict[str, _Package] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Have Python's import system ask this finder."""
        with self._lock:
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
            if ROOT not in sys.modules:
                root = ModuleType(ROOT, "The packages of live plugin generations.")
                root.__path__ = []
                sys.modules[ROOT] = root

    def uninstall(self) -> None:
        """Forget every generation, and leave Python's import system."""
        for package in tuple(self._packages):
            self.remove(package)
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def add(self, plugin: str, unique: int, folder: Path, own_names: Sequence[str]) -> str:
        """Make a folder importable as a package.

        Args:
            plugin: The plugin's name.
            unique: A number that no other living generation of the process has.
            folder: The plugin's folder.
            own_names: Absolute package names by which the plugin's code may import itself.

        Returns:
            The package's full name.
        """
        package = f"{ROOT}.{plugin}_{unique}"
        self._packages[package] = _Package(folder, OwnImports(package, own_names))
        return package

    def import_plugin(self, package: str) -> ModuleType:
        """Import a generation's `plugin` module; runs in a thread."""
        return self.import_part(package, "plugin")

    def import_part(self, package: str, name: str) -> ModuleType:
        """Import one of a generation's modules; runs in a thread.

        The generation may be removed meanwhile, as nobody waits for the import any longer; then
        its modules are forgotten once more, since the import goes on to the end.

        Args:
            package: The generation's package.
            name: The module's name inside.
        """
        try:
            return importlib.import_module(f"{package}.{name}")
        finally:
            if package not in self._packages:
                self.remove(package)

    def remove(self, package: str) -> None:
        """Forget a generation and its modules."""
        self._packages.pop(package, None)
        prefix = package + "."
        # A copy, since other threads import meanwhile. All names are looked through, at some 40 ns
        # each: a plugin may have entered modules of its own making, in any order.
        for name in [each for each in list(sys.modules) if package in each]:
            if name == package or name.startswith(prefix):
                sys.modules.pop(name, None)
        root = sys.modules.get(ROOT)
        if root is not None:
            root.__dict__.pop(package.rpartition(".")[2], None)

    @override
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of a generation; None for every other module."""
        if not fullname.startswith(ROOT + "."):
            return None
        head = ".".join(fullname.split(".", 2)[:2])
        package = self._packages.get(head)
        if package is None:
            return None
        if fullname == head:
            return self._folder_spec(fullname, str(package.folder), package.own)
        leaf = fullname.rpartition(".")[2]
        for place in path or ():
            spec = self._leaf_spec(fullname, os.path.join(place, leaf), package.own)  # noqa: PTH118 - see _leaf_spec
            if spec is not None:
                return spec
        # Extension modules and whatever else Python itself can load from the folder.
        return importlib.machinery.PathFinder.find_spec(fullname, path)

    # Plain strings, since a start comes here some thousand times and pathlib would double the cost.

    def _leaf_spec(
        self, fullname: str, place: str, own: OwnImports
    ) -> importlib.machinery.ModuleSpec | None:
        module = place + ".py"
        is_folder = os.path.isdir(place)  # noqa: PTH112
        if is_folder and os.path.isfile(os.path.join(place, "__init__.py")):  # noqa: PTH113, PTH118
            return self._folder_spec(fullname, place, own)
        if os.path.isfile(module):  # noqa: PTH113
            loader = GenerationLoader(fullname, module, self._cache, own)
            return spec_from_file_location(fullname, module, loader=loader)
        return self._folder_spec(fullname, place, own) if is_folder else None

    def _folder_spec(
        self, fullname: str, folder: str, own: OwnImports
    ) -> importlib.machinery.ModuleSpec | None:
        init = os.path.join(folder, "__init__.py")  # noqa: PTH118
        if os.path.isfile(init):  # noqa: PTH113
            loader = GenerationLoader(fullname, init, self._cache, own)
            return spec_from_file_location(
                fullname, init, loader=loader, submodule_search_locations=[folder]
            )
        spec = importlib.machinery.ModuleSpec(fullname, _EmptyLoader(folder), is_package=True)
        spec.submodule_search_locations = [folder]
        return spec
