import importlib
import importlib.resources
import inspect
import itertools
import pickle
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.importer import GenerationImporter

_numbers = itertools.count(1)


class Bench:
    """A plugin's folder, and the importer that loads generations of it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "plugins" / "foo"
        self.folder.mkdir(parents=True)
        self.importer = GenerationImporter(BytecodeCache(root / "bytecode"))
        self.importer.install()

    def write(self, **files: str) -> None:
        for path, text in files.items():
            file = self.folder / (path.replace("__", "/") + ".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))

    def file(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def add(self, *own_names: str) -> str:
        names = own_names or ("plugins.foo",)
        return self.importer.add("unit_foo", next(_numbers), self.folder, names)

    def load(self, *own_names: str) -> Any:
        return importlib.import_module(self.add(*own_names) + ".plugin")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.importer.uninstall()
    assert not left()


def left() -> list[str]:
    return [name for name in sys.modules if "unit_foo_" in name]


def test_each_generation_is_a_package_of_its_own(bench: Bench) -> None:
    bench.write(plugin="from .part import value\nclass Thing: ...", part="value = []")
    one, two = bench.load(), bench.load()
    assert one.__name__ != two.__name__
    assert one.value is not two.value
    assert one.Thing is not two.Thing


def test_removing_a_generation_leaves_none_of_its_modules(bench: Bench) -> None:
    bench.write(plugin="from . import part\nfrom .sub.deep import x", part="", sub__deep="x = 1")
    kept, gone = bench.load(), bench.load()
    package = gone.__name__.rpartition(".")[0]
    bench.importer.remove(package)
    assert {name.split(".")[1] for name in left()} == {kept.__name__.split(".")[1]}
    assert not hasattr(sys.modules["nexus_generations"], package.rpartition(".")[2])
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(package + ".plugin")


def test_nothing_is_written_into_the_folder(bench: Bench) -> None:
    bench.write(plugin="from .sub.deep import x", sub__deep="x = 1")
    before = sorted(bench.folder.rglob("*"))
    bench.load()
    bench.load()
    assert sorted(bench.folder.rglob("*")) == before


@pytest.mark.parametrize("init", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "from plugins.foo.sub.words import WORDS",
        "from plugins.foo.sub import words; WORDS = words.WORDS",
        "from plugins.foo import sub; from .sub import words; WORDS = sub.words.WORDS",
        "import plugins.foo.sub.words as words; WORDS = words.WORDS",
        "import plugins.foo.sub as sub, plugins.foo.sub.words; WORDS = sub.words.WORDS",
        "import plugins.foo.sub.words; WORDS = plugins.foo.sub.words.WORDS",
        "import plugins.foo as me; from .sub import words; WORDS = me.sub.words.WORDS",
        "import plugins.foo; from .sub import words; WORDS = plugins.foo.sub.words.WORDS",
        "from plugins import foo; from .sub import words; WORDS = foo.sub.words.WORDS",
        "from plugins import foo as me; from .sub import words; WORDS = me.sub.words.WORDS",
        "from plugins.tools.foo.sub.words import WORDS",
        "from .sub.words import WORDS",
        "import json,plugins.foo.sub.words as w; WORDS = w.WORDS",
        "from \\\n    plugins.foo.sub.words import WORDS",
        "from plugins\\\n    .foo.sub . words import WORDS",
        "import nexus.plugins; from plugins.foo.sub.words import WORDS",
        "def f():\n    from plugins.foo.sub.words import WORDS\n    return WORDS\nWORDS = f()",
    ],
)
def test_a_plugin_that_imports_itself_reaches_its_own_generation(
    bench: Bench, statement: str, *, init: bool
) -> None:
    bench.write(plugin=statement, sub__words="WORDS = []")
    if init:
        bench.file("__init__.py", "")
        bench.file("sub/__init__.py", "")
    one = bench.load("plugins.foo", "plugins.tools.foo")
    two = bench.load("plugins.foo", "plugins.tools.foo")
    package = one.__name__.rpartition(".")[0]
    assert one.WORDS is sys.modules[f"{package}.sub.words"].WORDS
    assert one.WORDS is not two.WORDS
    assert "plugins" not in sys.modules


def test_imports_of_itself_work_from_every_depth(bench: Bench) -> None:
    bench.file("__init__.py", "from plugins.foo.base import BASE")
    bench.file("plugin.py", "from plugins.foo.a.b.c import BASES")
    bench.file("base.py", "BASE = []")
    bench.file("a/__init__.py", "from plugins.foo.base import BASE")
    bench.file(
        "a/b/__init__.py", "from plugins.foo.a import BASE as A\nfrom plugins.foo import BASE"
    )
    bench.file("a/b/not__init__.py", "from plugins.foo.base import BASE")
    bench.file(
        "a/b/c.py",
        """
        from plugins.foo.base import BASE as one
        from plugins.foo.a.b import A as two, BASE as three
        from plugins.foo.a.b.not__init__ import BASE as four
        BASES = [one, two, three, four]
        """,
    )
    module = bench.load()
    base = sys.modules[module.__name__.rpartition(".")[0] + ".base"].BASE
    assert all(each is base for each in module.BASES)


def test_names_that_only_look_like_its_own_are_left_alone(bench: Bench) -> None:
    bench.write(plugin="plugins = 'foo'\nfrom plugins.foobar import x")
    with pytest.raises(ModuleNotFoundError, match="plugins"):
        bench.load()
    bench.write(plugin="import json, plugins.other.foo")
    with pytest.raises(ModuleNotFoundError, match="plugins"):
        bench.load()


def test_only_a_source_that_may_import_itself_is_rewritten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: Any) -> None:
        raise AssertionError("rewriting takes thrice as long as compiling")

    monkeypatch.setattr("nexus.plugins.own_imports.ast.parse", parse)
    bench.write(plugin="from nexus.plugins import BasePlugin\nNAME = 'foo'  # of my_plugins\n")
    assert bench.load().NAME == "foo"
    bench.write(plugin="from plugins.foo import plugin")
    with pytest.raises(AssertionError, match="thrice"):
        bench.load()


def test_other_imports_beside_its_own_keep_working(bench: Bench) -> None:
    bench.write(
        plugin="from __future__ import annotations\n"
        "import json, plugins.foo.part as part, os.path\n"
        "from plugins import foo",
        part="x = 1",
    )
    module = bench.load()
    assert module.json.dumps(module.part.x) == "1"
    assert module.os.path.join("a", "b") == "a/b"
    assert module.foo.part is module.part


def test_resources_are_found_beside_the_code(bench: Bench) -> None:
    bench.write(plugin="", sub__part="")
    bench.file("words.txt", "hello")
    bench.file("sub/more.txt", "there")
    module = bench.load()
    package = module.__name__.rpartition(".")[0]
    importlib.import_module(package + ".sub.part")
    assert importlib.resources.files(package).joinpath("words.txt").read_text() == "hello"
    assert importlib.resources.files(package + ".sub").joinpath("more.txt").read_text() == "there"
    bench.file("__init__.py", "")
    package = bench.load().__name__.rpartition(".")[0]
    assert importlib.resources.files(package).joinpath("words.txt").read_text() == "hello"


def test_objects_of_a_plugin_can_be_pickled_and_its_source_be_read(bench: Bench) -> None:
    bench.write(plugin="class Thing:\n    def __init__(self, x): self.x = x\n")
    module = bench.load()
    again = pickle.loads(pickle.dumps(module.Thing(7)))  # noqa: S301  # our own bytes
    assert isinstance(again, module.Thing)
    assert again.x == 7
    assert "class Thing" in inspect.getsource(module.Thing)
    assert module.__file__ == str(bench.folder / "plugin.py")


def test_a_package_wins_over_a_module_and_a_module_over_a_folder(bench: Bench) -> None:
    bench.write(plugin="from . import one, two", one="WHAT = 'module'", two="WHAT = 'module'")
    bench.file("one/__init__.py", "WHAT = 'package'")
    bench.file("two/data.txt", "x")
    module = bench.load()
    assert (module.one.WHAT, module.two.WHAT) == ("package", "module")


def test_a_failed_import_can_be_tried_again_as_another_generation(bench: Bench) -> None:
    bench.write(plugin="from .part import x", part="raise ValueError('no')")
    package = bench.add()
    with pytest.raises(ValueError, match="no"):
        importlib.import_module(package + ".plugin")
    bench.importer.remove(package)
    assert not left()
    bench.write(part="x = 5")
    assert bench.load().x == 5


def test_an_import_that_goes_on_after_its_generation_was_removed_leaves_nothing(
    bench: Bench,
) -> None:
    bench.write(plugin="import sys\nsys.on_import()")
    package = bench.add()
    sys.on_import = lambda: bench.importer.remove(package)  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        bench.importer.import_plugin(package)
    assert not left()


def test_an_import_whose_generation_is_removed_just_as_it_begins_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(plugin="x = 1")
    package = bench.add()
    found = bench.importer._leaf_spec

    def remove_then_give(*arguments: Any) -> Any:
        spec = found(*arguments)
        bench.importer.remove(package)
        return spec

    monkeypatch.setattr(bench.importer, "_leaf_spec", remove_then_give)
    with pytest.raises(KeyError):
        bench.importer.import_plugin(package)
    assert not left()


def test_two_importers_do_not_meet(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other")
    bench.write(plugin="x = 1")
    other.write(plugin="x = 2")
    one, two = bench.load(), other.load()
    assert (one.x, two.x) == (1, 2)
    other.importer.uninstall()
    assert len(left()) == 2  # a package and its module
    assert bench.importer in sys.meta_path
    assert other.importer not in sys.meta_path
    bench.importer.install()  # twice is once
    assert sys.meta_path.count(bench.importer) == 1
