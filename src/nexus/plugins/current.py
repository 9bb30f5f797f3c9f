"""Whose code is running.

Set around every call into a plugin, so that log lines, tasks and permissions find the generation
that they belong to without being told.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from logging import LogRecord
from typing import TYPE_CHECKING, Any, Final, Protocol

from nexus.events.cause import current_cause
from nexus.observability import tracing
from nexus.observability.request_id import current_request_id

if TYPE_CHECKING:
    from nexus.plugins.tasks import PluginTasks

_OWN_LOGGER: Final = "nexus.plugin."
_PLATFORM: Final = "nexus"


class Owner(Protocol):
    """What the rest of the platform may know of the generation whose code runs."""

    @property
    def plugin(self) -> str:
        """The plugin's name."""

    @property
    def number(self) -> int:
        """The generation's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Stands for a generation in the context variables of its code.

    Not the generation itself: the event loop keeps the context of a timer, also of one that was
    cancelled, until its time has come, and would keep the plugin's code with it.

    Attributes:
        plugin: The plugin's name.
        number: The generation's number.
        tasks: Takes the tasks that its code starts.
    """

    plugin: str
    number: int
    tasks: "PluginTasks"


current_owner: ContextVar[Owner | None] = ContextVar("nexus_current_owner", default=None)


def log_fields() -> dict[str, Any]:
    """Give what a log line says of whatever runs: plugin, generation, request id, event id."""
    fields: dict[str, Any] = {}
    owner = current_owner.get()
    if owner is not None:
        fields["plugin"] = owner.plugin
        fields["generation"] = owner.number
    request_id = current_request_id.get()
    if request_id is not None:
        fields["request_id"] = request_id
    cause = current_cause()
    if cause is not None and cause.causation_id is not None:
        fields["event_id"] = cause.causation_id
    if tracing.active is not None:
        fields.update(tracing.trace_fields())
    return fields


def plugin_of_line(record: LogRecord) -> str | None:
    """Give the plugin that a log line is about, or whose code has written it; None for neither."""
    said = record.__dict__.get("plugin")
    if isinstance(said, str):
        return said if said != _PLATFORM else None
    if record.name.startswith(_OWN_LOGGER):
        return record.name[len(_OWN_LOGGER) :].partition(".")[0]
    owner = current_owner.get()
    return None if owner is None else owner.plugin
