"""Tells plugins that what they hold of another plugin is no longer what serves."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An object of another plugin that a generation was given.

    Attributes:
        name: The service's name.
        owner: The plugin that offered it.
        generation: The number of the owner's generation.
    """

    name: str
    owner: str
    generation: int


class Dependant(Protocol):
    """A live generation, as one that may hold objects of others."""

    @property
    def plugin(self) -> str:
        """Give the plugin's name."""

    @property
    def needs(self) -> Collection[str]:
        """Give the plugins that its manifest depends on."""

    def give_up(self, owner: str, generation: int) -> tuple[str, ...]:
        """Forget what was taken from generations up to this one, and give the services' names."""

    async def tell(self, provider: str, stale: tuple[str, ...], limit: float) -> None:
        """Have the plugin told; whatever its code does wrong is logged."""


class Dependants:
    """The live generations of one application, by plugin."""

    def __init__(self) -> None:
        self._live: dict[str, Dependant] = {}
        # Whom a change of a plugin may concern; who is told is decided when there is one.
        self._perhaps: dict[str, set[str]] = {}

    def add(self, dependant: Dependant) -> None:
        """Take note of a generation that is live now, in place of its predecessor."""
        self._live[dependant.plugin] = dependant
        for provider in dependant.needs:
            self.note(dependant.plugin, provider)

    def note(self, plugin: str, provider: str) -> None:
        """Take note that a generation of a plugin, be it live or not, has an object of another."""
        self._perhaps.setdefault(provider, set()).add(plugin)

    def remove(self, dependant: Dependant) -> None:
        """Take note of a generation that is live no longer."""
        if self._live.get(dependant.plugin) is dependant:
            del self._live[dependant.plugin]

    async def tell(self, provider: str, generation: int, limit: float) -> None:
        """Tell those whom it concerns that a generation of a plugin serves no longer.

        Those are the ones that depend on the plugin, and the ones that hold services of it.

        Args:
            provider: The plugin's name.
            generation: The number of the generation that has been replaced or withdrawn.
            limit: Seconds that each of them may take; all are told at once.
        """
        calls = []
        for name in sorted(self._perhaps.get(provider, ())):
            each = self._live.get(name)
            if each is None or name == provider:
                continue
            stale = each.give_up(provider, generation)
            if stale or provider in each.needs:
                calls.append(each.tell(provider, stale, limit))
        if calls:
            await asyncio.gather(*calls)


async def tell_of_outdated(dependant: Dependant, outdated: Sequence[Taken], limit: float) -> None:
    """Tell a generation that has just gone live what was replaced while it was being prepared."""
    newest: dict[str, int] = {}
    for each in outdated:
        newest[each.owner] = max(each.generation, newest.get(each.owner, 0))
    for owner, generation in newest.items():
        await dependant.tell(owner, dependant.give_up(owner, generation), limit)
