"""Starts plugins at their first use, and lets whoever uses them wait for it."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING

from nexus.errors import PluginNotRunning
from nexus.plugins.state import PluginState

if TYPE_CHECKING:
    from nexus.plugins.controller import PluginController

_RESTS = frozenset(
    {
        PluginState.FAILED,
        PluginState.QUARANTINED,
        PluginState.INVALID,
        PluginState.DISABLED,
        PluginState.STOPPED,
    }
)
"""The states out of which no use starts a plugin."""


class Starter:
    """Wakes plugins that sleep.

    Args:
        controllers: The plugins by name.
        limit: Seconds that a use waits.
    """

    def __init__(self, controllers: "Mapping[str, PluginController]", limit: float) -> None:
        self._controllers = controllers
        self.limit = limit
        self._providers: dict[str, list[PluginController]] | None = None

    def for_request(self, name: str) -> Awaitable[bool] | None:
        """Start a plugin that a request is for.

        Returns:
            None when a request does not start it; else what waits for the end of the start, and
            tells whether it came before the limit.
        """
        controller = self._controllers.get(name)
        rules = None if controller is None else controller.activation.rules
        if controller is None or rules is None or not rules.request or not _can_start(controller):
            return None
        return self.wait(controller)

    # Scheduled jobs

    def sleeps(self, name: str) -> bool:
        """Tell whether a plugin is dormant."""
        controller = self._controllers.get(name)
        return controller is not None and controller.status.state is PluginState.DORMANT

    def wake(self, name: str) -> None:
        """Start a plugin of which a scheduled job is due, without waiting for it."""
        self.call((name,))

    # Services

    def manifests_changed(self) -> None:
        """Forget which plugins start by which services."""
        self._providers = None

    def owner_of_sleeping(self, service: str) -> str | None:
        """Give the plugin that a use of a service would start; None when there is none."""
        return next((each.name for each in self._sleeping(service)), None)

    def wake_for_service(self, service: str) -> None:
        """Start it without waiting for it."""
        for controller in self._sleeping(service)[:1]:
            controller.activation.call()

    async def start_for_service(self, service: str) -> None:
        """Start it, and wait until it runs.

        Raises:
            PluginNotRunning: It could not be started, or not in time.
        """
        for controller in self._sleeping(service)[:1]:
            await self.wait(controller)
            if not _serves(controller):
                status = controller.status
                raise PluginNotRunning(
                    name=controller.name, state=str(status.state), reason=status.reason
                )

    def _sleeping(self, service: str) -> "list[PluginController]":
        if self._providers is None:
            self._providers = {}
            for _, controller in sorted(self._controllers.items()):
                rules = controller.activation.rules
                for name in () if rules is None else rules.services:
                    self._providers.setdefault(name, []).append(controller)
        known = self._providers.get(service, ())
        return [each for each in known if not _serves(each) and _can_start(each)]

    # All uses

    async def wait(self, controller: "PluginController") -> bool:
        """Start a plugin, and wait until it runs or cannot; False when the limit comes first."""
        try:
            async with asyncio.timeout(self.limit):
                while not _serves(controller) and _can_start(controller):
                    controller.activation.call()
                    await controller.wait_settled()
        except TimeoutError:
            return False
        return True

    def call(self, names: Iterable[str]) -> None:
        """Start plugins without waiting for them."""
        for name in names:
            controller = self._controllers.get(name)
            if controller is not None:
                controller.activation.call()


def _serves(controller: "PluginController") -> bool:
    return controller.live is not None and not controller.leaving


def _can_start(controller: "PluginController") -> bool:
    state = controller.status.state
    if state is PluginState.BLOCKED:
        return not controller.settled
    return state not in _RESTS
