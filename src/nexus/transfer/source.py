"""What an export knows of a plugin from its folder, while it runs or not."""

import logging
import secrets
from typing import TYPE_CHECKING, Final

from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.host import HostedPlugin
from nexus.plugins.import_threads import ImportThreads
from nexus.plugins.importer import GenerationImporter
from nexus.plugins.own_models import has_models, import_models
from nexus.transfer.export import Source

if TYPE_CHECKING:
    from nexus.data.models import Models

logger = logging.getLogger(__name__)

_FIRST: Final = 1 << 32
"""Numbers from here on are no generation's."""


async def source_of(found: DiscoveredPlugin, live: HostedPlugin | None = None) -> Source:
    """Tell an export about a plugin that is there.

    Args:
        found: The plugin as it was found.
        live: Its live generation, where one serves.
    """
    manifest = found.manifest
    models = await _models_of(found) if live is None else await live.models()
    return Source(
        plugin=found.name,
        version="" if manifest is None else manifest.version,
        secrets=secret_settings(found),
        models=models,
    )


def secret_settings(found: DiscoveredPlugin) -> frozenset[str]:
    """Give the settings that a plugin's manifest declares as secrets."""
    fields = {} if found.manifest is None else found.manifest.configuration
    return frozenset(key for key, field in fields.items() if field.secret)


async def _models_of(found: DiscoveredPlugin) -> "Models | None":
    """Import the models of a plugin that does not run, and nothing else of its code."""
    if not has_models(found.folder):
        return None
    importer = GenerationImporter(BytecodeCache(None))
    threads = ImportThreads()
    importer.install()
    package = importer.add(found.name, _FIRST + secrets.randbits(32), found.folder, found.own_names)
    try:
        outcome = await threads.run(
            lambda: import_models(importer, package, found.name, found.folder)
        )
    finally:
        threads.close()
        importer.uninstall()
    if outcome.error is not None:
        # The border of the plugin's code. What is stored is worth keeping all the same.
        logger.warning(
            "A plugin's models cannot be imported, so the database tells the types of its columns",
            extra={"plugin": found.name, "reason": str(outcome.error)},
        )
        return None
    models: Models | None = outcome.value
    return models
