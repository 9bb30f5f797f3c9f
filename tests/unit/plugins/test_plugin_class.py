from types import ModuleType
from typing import Any

import pytest

from nexus.errors import PluginLoadError
from nexus.plugins.plugin_class import make_plugin

START = """
from nexus.plugins import BasePlugin

class One(BasePlugin):
    async def initialize(self): return True
"""


def module(code: str) -> ModuleType:
    made = ModuleType("some_plugin")
    exec(code, made.__dict__)  # noqa: S102  # the test's own
    return made


def made(code: str) -> Any:
    return type(make_plugin(module(code), "foo")).__name__


def test_the_only_class_is_the_plugin() -> None:
    assert made(START) == "One"


def test_an_alias_is_no_second_class() -> None:
    assert made(START + "Alias = One\nPlugin = One") == "One"


def test_imported_and_abstract_classes_do_not_count() -> None:
    other = "Imported = type('Imported', (One,), {'__module__': 'elsewhere'})\n"
    assert made(START + other + "class Abstract(BasePlugin): pass\n") == "One"


def test_create_plugin_decides() -> None:
    two = START + "class Two(One): pass\n"
    assert made(two + "def create_plugin(): return Two()") == "Two"
    with pytest.raises(PluginLoadError, match="One and Two"):
        made(two)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("", "no subclass of BasePlugin and no create_plugin"),
        ("def create_plugin(): return 7", "returned int, not a BasePlugin"),
        ("async def create_plugin(): return 7", "create_plugin() is async"),
        (
            "from nexus.plugins import BasePlugin\nclass One(BasePlugin): pass",
            "does not define initialize()",
        ),
    ],
)
def test_what_is_missing_is_told(code: str, problem: str) -> None:
    with pytest.raises(PluginLoadError) as caught:
        made(code)
    assert problem in str(caught.value)
