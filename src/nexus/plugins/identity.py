"""What a plugin is called."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a plugin is called, from its manifest."""

    name: str
    version: str = "0.0.0"
    title: str = ""
    description: str = ""
    author: str = ""
    category: str = ""

    @classmethod
    def of(cls, manifest: "Manifest") -> "Identity":
        """Take the identity out of a manifest."""
        return cls(
            name=manifest.name,
            version=manifest.version,
            title=manifest.title or manifest.name,
            description=manifest.description,
            author=manifest.author,
            category=manifest.category,
        )
