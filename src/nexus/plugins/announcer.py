"""Publishes the platform's own events, in order and without holding anybody up."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nexus.config import ConfigChange
from nexus.errors import NexusError
from nexus.events import EventBus
from nexus.plugins.state import PluginState, PluginStatus

logger = logging.getLogger(__name__)

SOURCE = "nexus"
_LAST: tuple[str, Mapping[str, Any]] = ("", {})

_QUIET = frozenset({PluginState.STARTING, PluginState.DORMANT})
"""Of these an operator reads where it matters; there may be hundreds of them at a start."""


class Announcer:
    """A queue of the platform's events, and the one task that publishes them.

    Args:
        bus: Carries the events.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._queue: asyncio.Queue[tuple[str, Mapping[str, Any]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.get_running_loop().create_task(self._work(), name="nexus.announcer")

    async def stop(self) -> None:
        """Publish what is queued, and end."""
        self._queue.put_nowait(_LAST)
        if self._task is not None:
            await self._task

    def announce(self, name: str, data: Mapping[str, Any]) -> None:
        """Queue an event."""
        self._queue.put_nowait((name, data))

    def status_changed(self, old: PluginStatus, new: PluginStatus) -> None:
        """Queue `plugin.<state>` for a plugin that has come to a new state or generation."""
        if old.state is new.state and old.generation == new.generation:
            return
        logger.log(
            logging.DEBUG if new.state in _QUIET else logging.INFO,
            "Plugin is %s",
            new.state,
            extra={"plugin": new.name, "generation": new.generation, "reason": new.reason},
        )
        data = {
            "plugin": new.name,
            "before": str(old.state),
            "state": str(new.state),
            "reason": new.reason,
            "generation": new.generation,
        }
        self.announce(f"plugin.{new.state}", data)

    async def settings_changed(self, _plugin: str, changes: Sequence[ConfigChange]) -> None:
        """Queue `plugin.config_changed` for each setting that has another value now."""
        for change in changes:
            if change.changed:
                self.announce("plugin.config_changed", asdict(change))

    async def _work(self) -> None:
        while (entry := await self._queue.get()) is not _LAST:
            name, data = entry
            try:
                await self._bus.publish(name, data, source=SOURCE)
            except NexusError as error:
                logger.warning(
                    "An event of the platform was not published",
                    extra={"event_name": name, "reason": str(error)},
                )
