"""What a plugin says about its own condition."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(slots=True, kw_only=True)
class HealthStatus:
    """The answer of one health check.

    Mutable on purpose: a plugin takes the platform's answer and adds its own findings.

    Attributes:
        healthy: Whether the plugin can do its work.
        message: One sentence for an operator; empty when there is nothing to say.
        components: A mapping from the name of a part to its findings, by convention with a key
            `status` of `"healthy"`, `"degraded"`, `"unhealthy"` or `"disabled"`.
        metrics: Figures by name, each a number in the base unit that its name ends with.
        timestamp: When the check was made, in UTC.
    """

    healthy: bool = True
    message: str = ""
    components: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    def dict(self) -> "dict[str, Any]":
        """Give the status as JSON-ready data; the timestamp is in ISO 8601."""
        return {
            "healthy": self.healthy,
            "message": self.message,
            "components": dict(self.components),
            "metrics": dict(self.metrics),
            "timestamp": self.timestamp.isoformat(),
        }

    model_dump = dict  # noqa: A003 - the method above is meant
