"""Stores a plugin's `initial_data`, once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nexus.config import PluginConfiguration
from nexus.data import MISSING, KeyValueStore
from nexus.data.database import Database
from nexus.errors import HookFailed
from nexus.plugins.plugin_data import data_namespace

if TYPE_CHECKING:
    from nexus.data.collections import Collections

NAMESPACE = "nexus.seeded"


def collections_of(plugin: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the declaration of collections out of what `get_database_schema` returned.

    Raises:
        HookFailed: It is no dictionary.
    """
    return _mapping(plugin, schema, "collections")


def first_documents(plugin: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Give the first documents of declared collections out of the schema's `initial_data`.

    Raises:
        HookFailed: The schema has another shape than it should.
    """
    declared = collections_of(plugin, schema)
    initial = _mapping(plugin, schema, "initial_data")
    return {key: value for key, value in initial.items() if key in declared and key != "config"}


async def seed(
    plugin: str,
    schema: Mapping[str, Any],
    *,
    configuration: PluginConfiguration,
    store: KeyValueStore,
    database: Database,
    collections: "Collections | None",
) -> None:
    """Put the schema's initial data where it belongs.

    `config` becomes a layer of configuration defaults, at every start. A declared collection gets
    documents, and any other key becomes data, unless it was seeded before: what the plugin deletes
    does not come back.

    Raises:
        HookFailed: The schema has another shape than it should.
        NotJson: A value cannot be stored.
    """
    initial = _mapping(plugin, schema, "initial_data")
    configuration.set_initial(_mapping(plugin, initial, "config"))
    documents = first_documents(plugin, schema)
    await seed_documents(plugin, documents, store, database, collections)
    others = initial.keys() - documents.keys() - {"config"}
    wanted = {key: initial[key] for key in others}
    if not wanted:
        return
    stored: Any = await store.get(NAMESPACE, plugin)
    seeded = set() if stored is MISSING else set(stored)
    for key in wanted.keys() - seeded:
        await store.set_if_absent(data_namespace(plugin), key, wanted[key])
    if wanted.keys() - seeded:
        await store.set(NAMESPACE, plugin, sorted(seeded | wanted.keys()))


async def seed_documents(
    plugin: str,
    documents: Mapping[str, Any],
    store: KeyValueStore,
    database: Database,
    collections: "Collections | None",
) -> None:
    """Store the first documents of collections that have not had theirs yet.

    Raises:
        HookFailed: They are no list of dictionaries.
        NotJson: A document cannot be stored.
        DuplicateKey: Two of them have the same value in a unique index.
    """
    for name, first in documents.items():
        if not isinstance(first, list) or not all(isinstance(each, Mapping) for each in first):
            problem = f"gives initial_data.{name} that is not a list of dictionaries."
            raise HookFailed(plugin=plugin, hook="get_database_schema", problem=problem)
        mark = f"{plugin}/{name}"
        if await store.get(NAMESPACE, mark) is not MISSING:
            continue
        # The mark and the documents are committed together; of two at once one waits for the other.
        async with database.transaction():
            if await store.set_if_absent(NAMESPACE, mark, len(first)) and first and collections:
                await collections.get(name).insert_many(first)


def _mapping(plugin: str, schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = schema.get(key, {})
    if not isinstance(value, Mapping):
        problem = f"returned a {key!r} that is {type(value).__name__}, not a dictionary."
        raise HookFailed(plugin=plugin, hook="get_database_schema", problem=problem)
    return value
