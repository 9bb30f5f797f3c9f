"""Those who have asked for a reload of one plugin and wait for the answer."""

import asyncio
from collections.abc import Callable

from nexus.errors import ReloadFailed


class ReloadRequests:
    """Who waits for a reload.

    Args:
        plugin: The plugin's name.
        number: Gives the number of the generation that serves, 0 when none does.
        mask: Takes secrets out of a text.
    """

    def __init__(self, plugin: str, number: Callable[[], int], mask: Callable[[str], str]) -> None:
        self._plugin = plugin
        self._number = number
        self._mask = mask
        self._waiting: list[asyncio.Future[None]] = []

    def add(self) -> "asyncio.Future[None]":
        """Give what is done when the next reload is."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        return done

    def take(self) -> "list[asyncio.Future[None]]":
        """Give those that wait now; who comes later waits for another reload."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def answer(self, waiting: "list[asyncio.Future[None]]", reason: str | None) -> None:
        """Tell how it went: None for well, else why not."""
        for done in waiting:
            if done.done():
                continue
            if reason is None:
                done.set_result(None)
            else:
                done.set_exception(self.refusal(reason))

    def refusal(self, reason: str) -> ReloadFailed:
        """Give what is raised for a reload that failed."""
        return ReloadFailed(
            plugin=self._plugin, generation=self._number(), reason=self._mask(reason)
        )
