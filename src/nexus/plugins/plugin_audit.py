"""The rows of the audit log that a plugin writes, and those that the platform writes of it."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from nexus.audit import Actor, AuditLog
from nexus.config import ConfigChange
from nexus.errors import AuditRowRefused
from nexus.plugins.presentable import presentable
from nexus.plugins.stage import Stage, StageCell

MAX_BYTES: Final = 64 * 1024
"""The most that `before` and `after` of a row may take together, as JSON in UTF-8."""

_ACTION: Final = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")
_LONGEST: Final = 100


class PluginAudit:
    """Writes rows in the name of one plugin.

    A row's action is `<plugin>:<action>`, and no action of the platform has a colon; its actor is
    the plugin, or a user in whose name the plugin says it acted. So no plugin can write what reads
    as the platform's row or another plugin's.

    Args:
        log: The audit log.
        plugin: The plugin's name.
        cell: The generation's stage; what a discarded one writes is dropped.
    """

    def __init__(self, log: AuditLog, plugin: str, cell: StageCell) -> None:
        self._log = log
        self._plugin = plugin
        self._cell = cell

    async def write(
        self,
        action: str,
        *,
        before: Any,
        after: Any,
        user: str,
        address: str,
        refused: bool,
    ) -> None:
        """Write a row; see `BasePlugin.write_audit`."""
        if len(action) > _LONGEST or not _ACTION.fullmatch(action):
            raise AuditRowRefused(
                plugin=self._plugin,
                problem=f"the action {action[:_LONGEST]!r}",
                expected=f"words of a-z, 0-9, _ and -, joined by dots, such as 'order.cancel';"
                f" at most {_LONGEST} characters",
            )
        values = presentable([before, after])
        size = len(json.dumps(values, ensure_ascii=False).encode())
        if size > MAX_BYTES:
            raise AuditRowRefused(
                plugin=self._plugin,
                problem=f"{size:,} bytes of before and after",
                expected=f"at most {MAX_BYTES:,}",
            )
        if self._cell.stage is Stage.DISCARDED:
            return
        await self._log.write(
            f"{self._plugin}:{action}",
            plugin=self._plugin,
            before=values[0],
            after=values[1],
            result="refused" if refused else "done",
            actor=Actor(name=f"user:{user}" if user else self._actor.name, address=address),
        )

    async def configured(self, changes: Sequence[ConfigChange]) -> None:
        """Write the platform's row of what the plugin itself has set."""
        changed = [each for each in changes if each.changed]
        if changed:
            await write_settings(self._log, self._plugin, changed, self._actor)

    @property
    def _actor(self) -> Actor:
        return Actor(name=f"plugin:{self._plugin}")


async def write_settings(
    log: AuditLog, plugin: str, changes: Sequence[ConfigChange], actor: Actor | None = None
) -> None:
    """Write that settings of a plugin were stored or removed.

    Args:
        log: The audit log.
        plugin: The plugin's name.
        changes: What was changed, secrets masked.
        actor: Who did it; by default who is at work in this context.
    """
    await log.write(
        "plugin.configure",
        plugin=plugin,
        before={each.key: each.old for each in changes},
        after={each.key: each.new for each in changes},
        actor=actor,
    )
