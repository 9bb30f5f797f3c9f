"""Whose code is running.

Set around every call into a plugin, so that log lines, tasks and permissions find the generation
that they belong to without being told.
"""

from contextvars import ContextVar
from typing import Any, Protocol

from nexus.observability.request_id import current_request_id


class Owner(Protocol):
    """What the rest of the platform may know of the generation whose code runs."""

    @property
    def plugin(self) -> str:
        """The plugin's name."""

    @property
    def number(self) -> int:
        """The generation's number."""


current_owner: ContextVar[Owner | None] = ContextVar("nexus_current_owner", default=None)


def log_fields() -> dict[str, Any]:
    """Give what a log line says of whatever runs: plugin, generation, request id."""
    fields: dict[str, Any] = {}
    owner = current_owner.get()
    if owner is not None:
        fields["plugin"] = owner.plugin
        fields["generation"] = owner.number
    request_id = current_request_id.get()
    if request_id is not None:
        fields["request_id"] = request_id
    return fields
