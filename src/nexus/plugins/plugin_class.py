"""Finds the plugin in its module."""

import inspect
from types import ModuleType

from nexus.errors import PluginLoadError
from nexus.plugins.base import BasePlugin


def make_plugin(module: ModuleType, name: str) -> BasePlugin:
    """Make the plugin that `module` defines.

    `create_plugin()` is used when the module has it, else the one subclass of BasePlugin that the
    module itself defines.

    Raises:
        PluginLoadError: There is none, there are several, or it is not a BasePlugin.
    """
    factory = getattr(module, "create_plugin", None)
    if factory is None:
        factory = plugin_class(module, name)
    plugin = factory()
    if inspect.iscoroutine(plugin):
        plugin.close()
        problem = "create_plugin() is async."
        raise PluginLoadError(plugin=name, problem=problem, advice="Write 'def create_plugin():'.")
    if not isinstance(plugin, BasePlugin):
        problem = f"create_plugin() returned {type(plugin).__name__}, not a BasePlugin."
        raise PluginLoadError(plugin=name, problem=problem)
    return plugin


def plugin_class(module: ModuleType, name: str) -> type[BasePlugin]:
    """Give the one plugin class that `module` itself defines."""
    # A dictionary, since one class may have several names.
    classes = dict.fromkeys(
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BasePlugin)
        and value.__module__ == module.__name__
    )
    concrete = [value for value in classes if not inspect.isabstract(value)]
    if len(concrete) == 1:
        return concrete[0]
    if len(concrete) > 1:
        names = " and ".join(value.__name__ for value in concrete)
        raise PluginLoadError(
            plugin=name,
            problem=f"plugin.py defines more than one plugin class: {names}.",
            advice="Say which is meant: def create_plugin(): return <class>().",
        )
    if classes:
        raise PluginLoadError(
            plugin=name,
            problem=f"The class {next(iter(classes)).__name__} does not define initialize().",
            advice="Add: async def initialize(self) -> bool: return True.",
        )
    raise PluginLoadError(
        plugin=name,
        problem="plugin.py defines no subclass of BasePlugin and no create_plugin().",
        advice="Define one class that inherits from nexus.plugins.BasePlugin.",
    )
