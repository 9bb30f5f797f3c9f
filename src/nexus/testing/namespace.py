"""Makes an application's plugins importable as `plugins.<name>`, from wherever pytest is run."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from nexus.testing.surroundings import Surroundings

NAMESPACE = "plugins"


class PluginNamespace:
    """Finds the package `plugins` of the application whose tests are collected or run.

    Several applications may be tested in one run, each with a package `plugins` of its own; so
    the modules of one step aside while the tests of another one run, and come back afterwards.
    """

    def __init__(self) -> None:
        self._current: Surroundings | None = None
        self._aside: dict[tuple[Path, ...] | None, dict[str, ModuleType]] = {}

    def install(self) -> None:
        """Have imports ask this finder first, so that the working directory does not matter."""
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Leave Python's import system as it was found."""
        self.enter(None)
        sys.meta_path.remove(self)

    def enter(self, surroundings: Surroundings | None) -> None:
        """Serve these surroundings from now on; None serves nobody."""
        before, after = _application(self._current), _application(surroundings)
        self._current = surroundings
        if before == after:
            return
        ours = [name for name in sys.modules if name.partition(".")[0] == NAMESPACE]
        self._aside[before] = {name: sys.modules.pop(name) for name in ours}
        sys.modules.update(self._aside.pop(after, {}))

    def make_way(self, test_file: Path) -> None:
        """Let two plugins have test modules of one name, outside packages.

        pytest imports both under the file's bare name and refuses the second one. It treats its
        own conftest.py files as is done here: the first one's entry makes way.
        """
        there = getattr(sys.modules.get(test_file.stem), "__file__", None)
        # Only another plugin's test can be meant; a module from anywhere else is not ours to move.
        if there is None or Path(there) == test_file or Path(there).name != test_file.name:
            return
        if not (test_file.parent / "__init__.py").is_file():
            del sys.modules[test_file.stem]

    def find_spec(
        self,
        fullname: str,
        _path: Sequence[str] | None = None,
        _target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find `plugins` and the plugins that Python would not find in it by itself."""
        if self._current is None:
            return None
        if fullname == NAMESPACE:
            return _package(fullname, self._current.plugin_paths)
        head, _, name = fullname.partition(".")
        if head != NAMESPACE or "." in name:
            return None
        if any(
            (path / name).is_dir() or (path / f"{name}.py").is_file()
            for path in self._current.plugin_paths
        ):
            return None
        folder = self._current.folder_of(name)
        return None if folder is None else _package(fullname, (folder,))


def _application(surroundings: Surroundings | None) -> tuple[Path, ...] | None:
    return None if surroundings is None else surroundings.application


class _EmptyLoader:
    """Makes a package that has no code of its own.

    Python needs no loader for such a package; pytest, which imports test modules by itself, does.
    """

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave it to Python to make the module."""

    def exec_module(self, _module: ModuleType) -> None:
        """Leave the package empty."""


def _package(fullname: str, folders: Sequence[Path]) -> ModuleSpec | None:
    places = [str(folder) for folder in folders]
    for folder in folders:
        init = folder / "__init__.py"
        if init.is_file():
            return spec_from_file_location(fullname, init, submodule_search_locations=places)
    # A loader's base class is in importlib.abc, whose import each run of pytest would pay for.
    loader: Any = _EmptyLoader()
    spec = ModuleSpec(fullname, loader, is_package=True)
    spec.submodule_search_locations = places
    return spec
