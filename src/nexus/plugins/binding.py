"""How a new plugin object gets its context.

A host that makes a plugin puts the context in a context variable first; a plugin that is made
without one (in a unit test) gets a detached context of its own.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.plugins.base import BasePlugin
    from nexus.plugins.context import PluginContext

_offered: ContextVar["PluginContext | None"] = ContextVar("nexus_offered_context", default=None)


@contextmanager
def offering(context: "PluginContext") -> Iterator[None]:
    """Have plugins that are made inside the block use `context`."""
    token = _offered.set(context)
    try:
        yield
    finally:
        _offered.reset(token)


def bind(plugin: "BasePlugin") -> None:
    """Give `plugin` its context, and the attributes that its manifest states."""
    context = _offered.get()
    if context is None:
        from nexus.plugins.detached import detached_context

        context = detached_context(plugin)
    identity = context.identity
    plugin._nexus_context = context  # noqa: SLF001 - the platform's own attribute
    plugin.name = identity.name
    plugin.version = identity.version
    plugin.title = identity.title
    plugin.description = identity.description
    plugin.author = identity.author
    plugin.category = identity.category
    if not hasattr(type(plugin), "metrics"):  # one that is the plugin's own comes first
        plugin.metrics = context.own_metrics
    plugin.logger = logging.getLogger(f"nexus.plugin.{identity.name}")
