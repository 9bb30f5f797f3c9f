"""Stores a plugin's `initial_data`, once."""

import logging
from collections.abc import Mapping
from typing import Any

from nexus.config import PluginConfiguration
from nexus.data import MISSING, KeyValueStore
from nexus.errors import HookFailed
from nexus.plugins.plugin_data import data_namespace

logger = logging.getLogger(__name__)

NAMESPACE = "nexus.seeded"


async def seed(
    plugin: str,
    schema: Mapping[str, Any],
    configuration: PluginConfiguration,
    store: KeyValueStore,
) -> None:
    """Put the schema's initial data where it belongs.

    `config` becomes a layer of configuration defaults, at every start. Any other key becomes data,
    unless it was seeded before: what the plugin deletes does not come back.

    Raises:
        HookFailed: The schema has another shape than it should.
        NotJson: A value cannot be stored.
    """
    initial = _mapping(plugin, schema, "initial_data")
    collections = _mapping(plugin, schema, "collections")
    configuration.set_initial(_mapping(plugin, initial, "config"))
    wanted = {key: value for key, value in initial.items() if key != "config"}
    for key in [key for key in wanted if key in collections]:
        logger.warning(
            "Initial documents are not stored: this version has no collections",
            extra={"plugin": plugin, "collection": key},
        )
        del wanted[key]
    if not wanted:
        return
    stored: Any = await store.get(NAMESPACE, plugin)
    seeded = set() if stored is MISSING else set(stored)
    for key in wanted.keys() - seeded:
        await store.set_if_absent(data_namespace(plugin), key, wanted[key])
    if wanted.keys() - seeded:
        await store.set(NAMESPACE, plugin, sorted(seeded | wanted.keys()))


def _mapping(plugin: str, schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = schema.get(key, {})
    if not isinstance(value, Mapping):
        problem = f"returned a {key!r} that is {type(value).__name__}, not a dictionary."
        raise HookFailed(plugin=plugin, hook="get_database_schema", problem=problem)
    return value
