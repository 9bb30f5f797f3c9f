"""Where an import goes to."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.data.collections import Collections
    from nexus.data.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a plugin's code declares here, with its tables brought to it.

    Attributes:
        plugin: The plugin's name.
        secrets: The settings that its manifest declares as secrets.
        collections: Its collections.
        models: Its models, None where it has none.
    """

    plugin: str
    secrets: Collection[str]
    collections: "Collections | None"
    models: "Models | None"
