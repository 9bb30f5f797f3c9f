"""Errors about tracing."""

from typing_extensions import override

from nexus.errors.base import NexusError


class TracingExtraMissing(NexusError):
    """Tracing is on, and what it needs is not installed."""

    code = "tracing-extra-missing"

    def __init__(self, *, missing: str) -> None:
        super().__init__(missing=missing)

    @override
    def render(self) -> str:
        return (
            f"tracing.enabled is on, and {self.data['missing']} is not installed. Install the extra"
            " 'otel', as with pip install '.[otel]', or turn tracing off."
        )
