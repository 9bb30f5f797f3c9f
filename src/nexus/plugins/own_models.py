"""Finds a plugin's models: `schemas/models.py` in its folder."""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from nexus.data.models import Models
    from nexus.plugins.importer import GenerationImporter

MODULE: Final = "schemas.models"

_found_beside: "WeakKeyDictionary[ModuleType, Models | None]" = WeakKeyDictionary()


def has_models(folder: Path) -> bool:
    """Tell whether a plugin's folder has a place where models are written."""
    place = folder.joinpath(*MODULE.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def import_models(
    importer: "GenerationImporter", package: str, plugin: str, folder: Path
) -> "Models | None":
    """Import the models of one generation, and make them the plugin's own; runs in a thread.

    Args:
        importer: What finds the generation's modules.
        package: The generation's package.
        plugin: The plugin's name.
        folder: Its folder.

    Returns:
        The models, None where there are none.

    Raises:
        ModelsInvalid: Something in them cannot be the plugin's own.
    """
    if not has_models(folder):
        return None
    return _adopted(importer.import_part(package, MODULE), plugin, package)


def models_beside(plugin_class: type, plugin: str) -> "Models | None":
    """Give the models of a plugin that no application has loaded.

    They are in `schemas/models.py` beside the module of its class, imported by the name that the
    plugin's own code imports it by.

    Args:
        plugin_class: The plugin's class, `TasksPlugin` of `plugins.tasks.plugin` say.
        plugin: Its name.

    Raises:
        ModelsInvalid: Something in them cannot be the plugin's own.
    """
    try:
        folder = Path(inspect.getfile(plugin_class)).parent
    except (TypeError, OSError):  # defined in an interactive session
        return None
    if not has_models(folder):
        return None
    package = plugin_class.__module__.rpartition(".")[0]
    module = importlib.import_module(f"{package}.{MODULE}" if package else MODULE)
    if module not in _found_beside:
        _found_beside[module] = _adopted(module, plugin, package or MODULE.partition(".")[0])
    return _found_beside[module]


def _adopted(module: ModuleType, plugin: str, package: str) -> "Models | None":
    if "sqlalchemy" not in sys.modules:  # whatever it is that the module declares
        return None
    from nexus.data.models import adopt

    return adopt(module, plugin, package=package)
