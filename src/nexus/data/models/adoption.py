"""Makes the models of a module those of a plugin."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import sort_tables_and_constraints

from nexus.data.models.declared import declared_metadata, registries_of
from nexus.data.models.models import Models
from nexus.data.models.prefixing import Prefixing
from nexus.errors import ModelsInvalid

_MODULE = ".schemas.models"


def adopt(
    modules: ModuleType | Sequence[ModuleType], plugin: str, *, package: str | None = None
) -> Models | None:
    """Give the tables of some modules the names of their plugin, in the objects themselves.

    To be called when the modules have been imported, before their models are used; calling it
    again changes nothing.

    Args:
        modules: What `schemas/models.py` has become, or several such modules.
        plugin: The plugin's name.
        package: The package that all of the plugin's code is in; told by the first module's name.

    Returns:
        The models, None where the modules have neither declarative classes nor tables.

    Raises:
        ModelsInvalid: Something in them cannot be the plugin's own.
    """
    several = (modules,) if isinstance(modules, ModuleType) else tuple(modules)
    inside = _package_of(several[0]) if package is None else package
    found = declared_metadata(several, plugin, inside)
    if not found:
        return None
    for metadata in found:
        Prefixing(metadata, plugin, inside).apply()
    try:
        for registry in registries_of(several, inside):
            registry.configure()
            for mapper in registry.mappers:
                _rename_class(mapper.class_, mapper.local_table)
    except SQLAlchemyError as error:
        raise ModelsInvalid(
            plugin=plugin, problem=str(error).rstrip("."), advice="Correct the models."
        ) from error
    models = Models(plugin=plugin, metadata=found)
    _check_circles(models)
    return models


def _check_circles(models: Models) -> None:
    """Refuse tables that refer to each other so that none of them can be made first."""
    for metadata in models.metadata:
        # Its last entry stands for the keys that cannot be made along with any table.
        order: list[Any] = sort_tables_and_constraints(metadata.tables.values())  # type: ignore[no-untyped-call]  # its signature is incomplete
        left = order[-1][1] if order else ()
        stuck = sorted({key.table.name for key in left if not (key.use_alter and key.name)})
        if stuck:
            raise ModelsInvalid(
                plugin=models.plugin,
                problem=f"the foreign keys of {' and '.join(stuck)} go round in a circle",
                advice="Give one of them use_alter=True and a name, so that it is added last.",
            )


def _package_of(module: ModuleType) -> str:
    name = module.__name__
    if name.endswith(_MODULE):
        return name.removesuffix(_MODULE)
    return name.rpartition(".")[0] or name


def _rename_class(model: type, table: object) -> None:
    """Have `__tablename__`, which plain SQL is put together with, tell the name in the database."""
    if isinstance(table, Table) and isinstance(vars(model).get("__tablename__"), str):
        model.__tablename__ = table.name  # type: ignore[attr-defined]  # it was looked for above
