"""Finds what an engine says in its own way; only the one in use is imported."""

from importlib import import_module
from typing import Final

from nexus.data.collections.definitions.definition import Definition
from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.database import EngineName

_PACKAGE: Final = "nexus.data.collections"
_CLASSES: Final[dict[EngineName, str]] = {
    "sqlite": "Sqlite",
    "postgresql": "Postgresql",
    "mariadb": "Mariadb",
}


def dialect_of(engine: EngineName) -> Dialect:
    """Give the engine's way to say things about documents."""
    module = import_module(f"{_PACKAGE}.dialects.{engine}")
    dialect: Dialect = getattr(module, f"{_CLASSES[engine]}Dialect")()
    return dialect


def definition_of(engine: EngineName) -> Definition:
    """Give the engine's way to say things about tables."""
    module = import_module(f"{_PACKAGE}.definitions.{engine}")
    definition: Definition = getattr(module, f"{_CLASSES[engine]}Definition")()
    return definition
