"""Models written in a test, imported as those of a plugin."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest


@pytest.fixture
def module() -> Iterator[Callable[..., ModuleType]]:
    """Make a module of some source, inside the package of a plugin's generation."""
    made: list[str] = []

    def make(source: str, package: str = "nexus_generations.tasks_1") -> ModuleType:
        name = f"{package}.schemas.models"
        module = ModuleType(name)
        sys.modules[name] = module
        made.append(name)
        exec(compile(textwrap.dedent(source), f"{name}.py", "exec"), module.__dict__)  # noqa: S102
        return module

    yield make
    for name in made:
        sys.modules.pop(name, None)
