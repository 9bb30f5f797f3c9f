"""Errors about the workers of a cluster."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError


class WorkersDiffer(NexusError):
    """A change was made, and some workers have not followed it."""

    code = "workers-differ"

    def __init__(self, *, plugin: str, workers: Sequence[tuple[str, str]]) -> None:
        super().__init__(plugin=plugin, workers=tuple(workers))

    @override
    def render(self) -> str:
        told = "; ".join(
            f"{worker}: {reason.rstrip('.')}" for worker, reason in self.data["workers"]
        )
        return (
            f"The change of {self.data['plugin']!r} is stored, but not every worker has followed:"
            f" {told}. These are not ready until they have. 'GET /api/v1/system' lists the workers;"
            " mend what keeps them, and reload the plugin."
        )
