"""The services of one generation."""

import asyncio
from collections.abc import Callable
from typing import Any

from nexus.plugins.dependants import Taken
from nexus.plugins.stage import Stage, StageCell
from nexus.security.permissions import PermissionSet
from nexus.services import Offer, ServiceReference, ServiceRegistry


class ServiceContributions:
    """Collects what a generation offers, and finds what others offer.

    Args:
        registry: The application's live services.
        plugin: The generation's plugin.
        number: The generation's number.
        cell: The generation's stage.
        permissions: Which services of others it may use.
        took: Told of each plugin of which it is given an object.
    """

    def __init__(
        self,
        registry: ServiceRegistry,
        plugin: str,
        number: int,
        cell: StageCell,
        permissions: PermissionSet,
        took: Callable[[str], None],
    ) -> None:
        self._took = took
        self._registry = registry
        self._plugin = plugin
        self._number = number
        self._cell = cell
        self._permissions = permissions
        self._offers: dict[str, Offer] = {}
        self._taken: set[Taken] = set()

    @property
    def asked(self) -> int:
        """Tell how often one of the generation's services has been looked up."""
        return sum(self._registry.asked(name) for name in self._offers)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Give what the generation offers."""
        return tuple(self._offers.values())

    def register(self, name: Any, service: Any) -> None:
        """Offer a service; live at once when the generation is.

        Raises:
            ServiceConflict: Another live plugin offers this name.
            ValueError: The name is no text or empty, or the service is None.
        """
        if not isinstance(name, str) or not name.strip():
            message = f"A service needs a name; found {name!r}."
            raise ValueError(message)
        if service is None:
            message = f"The service {name!r} is None, which get_service() gives for 'not there'."
            raise ValueError(message)
        offer = Offer(name=name, service=service, owner=self._plugin, generation=self._number)
        self._registry.check(offer)
        if self._cell.stage is Stage.LIVE:
            old = self._offers.get(name)
            self._registry.replace([old] if old else [], [offer])
        self._offers[name] = offer

    def find(self, wanted: str | type[Any]) -> Any:
        """Give a service or None; a staged generation sees its own first.

        Where the plugin that offers it starts at its first use, and does not run yet, this is that
        use: it is started, and a reference stands for its service.

        Raises:
            PermissionDenied: It is a plugin's that this one may not use services of.
        """
        if isinstance(wanted, str) and self._cell.stage is Stage.STAGED:
            own = self._offers.get(wanted)
            if own is not None:
                return own.service
        offer = self._offer(wanted)
        if offer is None:
            return self._wake(wanted) if isinstance(wanted, str) else None
        if offer.owner != self._plugin and (taken := _taken(offer)) not in self._taken:
            self._taken.add(taken)
            self._took(offer.owner)
        return offer.service

    def require(self, wanted: str | type[Any]) -> Any:
        """Give a service.

        Raises:
            ServiceNotFound: Nobody offers it.
        """
        found = self.find(wanted)
        return self._registry.require(wanted) if found is None else found

    def give_up(self, owner: str, generation: int) -> tuple[str, ...]:
        """Forget what was taken from a plugin's generations up to this one, and give its names."""
        stale = {
            each for each in self._taken if each.owner == owner and each.generation <= generation
        }
        self._taken -= stale
        return tuple(sorted({each.name for each in stale}))

    def outdated(self) -> list[Taken]:
        """Give what was taken and is no longer what its name gives."""
        return [each for each in self._taken if not self._is_live(each)]

    async def drain(self, limit: float) -> int:
        """Wait for the calls by way of references, and give how many go on at the limit."""
        return sum(
            await asyncio.gather(*(each.calls.drained(limit) for each in self._offers.values()))
        )

    def reference(self, name: str) -> ServiceReference:
        """Give a handle that outlives swaps of the provider."""
        return ServiceReference(name, self._offer, self._require_offer, self._sleeper, self._start)

    def _sleeper(self, name: str) -> str | None:
        """Give the plugin that a use of a service would start, if this one may use it."""
        owner = self._registry.sleeping.owner_of_sleeping(name)
        if owner is None or owner == self._plugin:
            return None
        self._permissions.require_service(name, owner)
        return owner

    def _wake(self, name: str) -> ServiceReference | None:
        if self._sleeper(name) is None:
            return None
        self._registry.sleeping.wake_for_service(name)
        return self.reference(name)

    async def _start(self, name: str) -> Offer:
        if self._sleeper(name) is not None:
            await self._registry.sleeping.start_for_service(name)
        return self._require_offer(name)

    def _offer(self, wanted: str | type[Any]) -> Offer | None:
        offer = self._registry.offer(wanted)
        if offer is not None:
            self._permissions.require_service(offer.name, offer.owner)
        return offer

    def _is_live(self, taken: Taken) -> bool:
        offer = self._registry.holder(taken.name)
        return offer is not None and _taken(offer) == taken

    def _require_offer(self, name: str) -> Offer:
        offer = self._registry.require_offer(name)
        self._permissions.require_service(offer.name, offer.owner)
        return offer


def _taken(offer: Offer) -> Taken:
    return Taken(name=offer.name, owner=offer.owner, generation=offer.generation)
