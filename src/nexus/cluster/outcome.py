"""What became of a change on one worker."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a worker says of one plugin.

    Attributes:
        number: Up to this number of the desired state it has done what concerns the plugin.
        ok: Whether the plugin is as it should be.
        state: The state that it came to; empty where there is no such plugin.
        reason: Why it is not as it should be.
    """

    number: int
    ok: bool
    state: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Make it from JSON data."""
        return cls(**data)
