"""Lets older generations of a plugin end, and has what they wrote completed after the last one."""

from collections.abc import Callable, Coroutine
from typing import Any

from nexus.plugins.generation import Generation


class Relief:
    """Knows which relieved generations of one plugin may still write.

    Args:
        live: Gives the generation that serves, if there is one.
    """

    def __init__(self, live: Callable[[], Generation | None]) -> None:
        self._live = live
        self._leaving: set[Generation] = set()

    def retire(self, old: Generation) -> Coroutine[Any, Any, None]:
        """Give what ends a generation; from now on it counts as one that may still write."""
        self._leaving.add(old)
        return self._retire(old)

    async def _retire(self, old: Generation) -> None:
        try:
            await old.retire()
        finally:
            self._leaving.discard(old)
        await self.complete()

    async def complete(self) -> None:
        """Have the data of the generation that serves completed, once no older one writes.

        That removes what others need. One that was relieved itself meanwhile has no say in it.
        """
        live = self._live()
        if live is not None and not self._leaving:
            await live.finish_data()
