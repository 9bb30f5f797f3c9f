"""Finds what a module with models declares."""

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import registry

from nexus.errors import ModelsInvalid

adopted_by: "WeakKeyDictionary[MetaData | Table, str]" = WeakKeyDictionary()
"""The packages that have made things their own. (Not in `info`, which goes into migrations.)"""


def declared_metadata(
    modules: Sequence[ModuleType], plugin: str, package: str
) -> tuple[MetaData, ...]:
    """Give the MetaData of the declarative classes and tables of some modules.

    Args:
        modules: The plugin's modules with models.
        plugin: Its name.
        package: The package that all of its code is in.

    Raises:
        ModelsInvalid: A model lives in a MetaData that is not the plugin's own.
    """
    found: dict[int, MetaData] = {}
    for module in modules:
        for name, value in vars(module).items():
            metadata = _metadata_of(value, package)
            if metadata is None:
                continue
            _check_owner(metadata, name, value, plugin=plugin, package=package)
            found[id(metadata)] = metadata
    return tuple(found.values())


def registries_of(modules: Sequence[ModuleType], package: str) -> Iterator[registry]:
    """Give the registries of the classes that some modules map."""
    found: dict[int, registry] = {}
    for module in modules:
        for value in vars(module).values():
            own = value if isinstance(value, registry) else _registry_of(value, package)
            if own is not None:
                found[id(own)] = own
    yield from found.values()


def _metadata_of(value: Any, package: str) -> MetaData | None:
    """Give the MetaData that belongs to a name of the module, if there is one."""
    if isinstance(value, MetaData):
        return None if _is_foreign(value, package) else value
    if isinstance(value, Table):
        # One of another package that was imported, to refer to it.
        return None if _is_foreign(value, package) else value.metadata
    if isinstance(value, registry):
        return value.metadata
    own = _registry_of(value, package)
    if own is None:
        return None
    table = value.__dict__.get("__table__")
    if isinstance(table, Table):
        return table.metadata
    metadata = getattr(value, "metadata", None)
    return metadata if isinstance(metadata, MetaData) else own.metadata


def _registry_of(value: Any, package: str) -> registry | None:
    """Give the registry of a class that the package defines; None for everything else."""
    if not isinstance(value, type) or not _is_inside(value.__module__, package):
        return None
    own = getattr(value, "registry", None)
    if isinstance(own, registry):
        return own
    mapper = value.__dict__.get("__mapper__")  # of a class that was mapped without a base
    return None if mapper is None else mapper.registry


def _check_owner(metadata: MetaData, name: str, value: Any, *, plugin: str, package: str) -> None:
    advice = (
        "Write a base of its own in the plugin, 'class Base(DeclarativeBase): pass', and share"
        " mixins where classes are alike."
    )
    if isinstance(value, type):
        giver = next((each for each in value.__mro__ if "metadata" in vars(each)), None)
        if giver is not None and not _is_inside(giver.__module__, package):
            problem = f"{name} gets its MetaData from {giver.__qualname__} in {giver.__module__}"
            raise ModelsInvalid(plugin=plugin, problem=problem, advice=advice)
    if _is_foreign(metadata, package):
        other = adopted_by[metadata]
        problem = f"{name} is in the MetaData of {other}, which is not the plugin's own"
        raise ModelsInvalid(plugin=plugin, problem=problem, advice=advice)


def _is_foreign(thing: MetaData | Table, package: str) -> bool:
    return adopted_by.get(thing, package) != package


def _is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
