"""The states a plugin can be in, and the record that an operator reads."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PluginState(StrEnum):
    """Where a plugin is on its way through the platform."""

    DISCOVERED = "discovered"
    INVALID = "invalid"
    BLOCKED = "blocked"
    DISABLED = "disabled"
    DORMANT = "dormant"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"
    QUARANTINED = "quarantined"


SETTLED = frozenset(
    {
        PluginState.INVALID,
        PluginState.BLOCKED,
        PluginState.DISABLED,
        PluginState.DORMANT,
        PluginState.RUNNING,
        PluginState.STOPPED,
        PluginState.FAILED,
        PluginState.QUARANTINED,
    }
)
"""The states in which nothing is under way."""

AT_REST = frozenset({PluginState.RUNNING, PluginState.DORMANT, PluginState.DISABLED})
"""The states in which nothing is wrong with a plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """One plugin's state, with the reason in words an operator understands.

    Attributes:
        name: The plugin's name.
        state: Where it is.
        reason: Why it is there, as a sentence; empty for `running`, unless a reload has failed.
        since: When it got there, in UTC.
        generation: The number of the generation that serves, 0 when none does.
    """

    name: str
    state: PluginState
    reason: str
    since: datetime
    generation: int
