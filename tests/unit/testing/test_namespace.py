"""Importing `plugins.<name>` from wherever pytest is run."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from nexus.testing.namespace import PluginNamespace
from nexus.testing.surroundings import Surroundings, surroundings_of


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginNamespace]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugins"]:
        monkeypatch.delitem(sys.modules, name)
    namespace = PluginNamespace()
    namespace.install()
    yield namespace
    namespace.uninstall()


def application(folder: Path, *plugins: str) -> Surroundings:
    for plugin in plugins:
        place = folder / "plugins" / plugin
        place.mkdir(parents=True)
        (place / "manifest.json").write_text("{}")
        (place / "plugin.py").write_text(f"HERE = {str(place)!r}\n")
    found = surroundings_of(folder / "plugins" / plugins[0])
    assert found is not None
    return found


def place_of(name: str) -> str:
    return str(importlib.import_module(f"plugins.{name}.plugin").HERE)


def test_plugins_are_found_by_name_and_by_category_and_name(
    namespace: PluginNamespace, tmp_path: Path
) -> None:
    namespace.enter(application(tmp_path, "foo", "media/bar"))
    assert place_of("foo") == str(tmp_path / "plugins/foo")
    assert place_of("bar") == str(tmp_path / "plugins/media/bar")
    assert place_of("media.bar") == str(tmp_path / "plugins/media/bar")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("plugins.baz")


def test_two_applications_in_one_run_keep_their_plugins_apart(
    namespace: PluginNamespace, tmp_path: Path
) -> None:
    one = application(tmp_path / "one", "foo")
    two = application(tmp_path / "two", "foo")
    namespace.enter(one)
    first = importlib.import_module("plugins.foo.plugin")
    namespace.enter(two)
    assert place_of("foo") == str(tmp_path / "two/plugins/foo")
    namespace.enter(one)
    assert importlib.import_module("plugins.foo.plugin") is first


def test_a_package_plugins_of_another_project_comes_back(
    namespace: PluginNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ModuleType("plugins")
    monkeypatch.setitem(sys.modules, "plugins", theirs)
    namespace.enter(application(tmp_path, "foo"))
    assert importlib.import_module("plugins") is not theirs
    namespace.enter(None)
    assert importlib.import_module("plugins") is theirs
    assert namespace.find_spec("plugins") is None


def test_the_code_of_a_regular_package_plugins_runs(
    namespace: PluginNamespace, tmp_path: Path
) -> None:
    surroundings = application(tmp_path, "foo")
    (tmp_path / "plugins/__init__.py").write_text("MARK = 1\n")
    namespace.enter(surroundings)
    assert importlib.import_module("plugins").MARK == 1
    assert place_of("foo") == str(tmp_path / "plugins/foo")


def test_a_test_module_makes_way_for_one_of_the_same_name_only(
    namespace: PluginNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("test_of_some_plugin")
    module.__file__ = str(tmp_path / "one/test_of_some_plugin.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    namespace.make_way(tmp_path / "one/test_of_some_plugin.py")
    assert module.__name__ in sys.modules
    namespace.make_way(tmp_path / "two/test_of_some_plugin.py")
    assert module.__name__ not in sys.modules
    namespace.make_way(tmp_path / "two/sys.py")
    assert "sys" in sys.modules
