"""A handle on a service that outlives swaps of its provider."""

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from nexus.errors import ServiceAsleep
from nexus.observability import tracing
from nexus.services.sleeping import FirstCall, call_once_live

if TYPE_CHECKING:
    from nexus.services.registry import Offer


class ServiceReference:
    """Stands for whatever is offered under a name at the moment of use.

    Keep it as long as you like: `reference.charge(10)` reaches the generation that is live now.
    An attribute taken from it (`charge = reference.charge`) belongs to one generation; take it
    anew for each use.

    An asynchronous call that is in hand when its provider is reloaded ends on the old generation,
    which does not shut down before, within the drain limit.

    Where the provider starts at its first use and does not run yet, `await reference.charge(10)`
    starts it, and `await reference` does no more than that and gives the service.
    """

    __slots__ = ("_find", "_require", "_sleeper", "_start", "name")

    def __init__(
        self,
        name: str,
        find: "Callable[[str], Offer | None]",
        require: "Callable[[str], Offer]",
        sleeper: Callable[[str], str | None] = lambda _name: None,
        start: "Callable[[str], Awaitable[Offer]] | None" = None,
    ) -> None:
        self.name = name
        self._find = find
        self._require = require
        self._sleeper = sleeper
        self._start = start

    def get(self) -> Any:
        """Give the service, or None when nobody offers it now."""
        offer = self._find(self.name)
        return None if offer is None else offer.service

    def require(self) -> Any:
        """Give the service.

        Raises:
            ServiceNotFound: Nobody offers it now.
        """
        return self._require(self.name).service

    def __await__(self) -> Generator[Any, Any, Any]:
        """Give the service, starting its provider if it sleeps.

        Raises:
            ServiceNotFound: Nobody offers it.
            PluginNotRunning: Its provider could not be started.
        """
        return self._started().__await__()

    async def _started(self) -> Any:
        return (await self._live()).service

    async def _live(self) -> "Offer":
        offer = self._find(self.name)
        if offer is not None:
            return offer
        return self._require(self.name) if self._start is None else await self._start(self.name)

    def __getattr__(self, attribute: str) -> Any:
        offer = self._find(self.name)
        if offer is None:
            plugin = None if attribute.startswith("__") else self._sleeper(self.name)
            if plugin is not None:
                return partial(self._first_call, attribute, plugin)
            offer = self._require(self.name)
        call = offer.calls.counted(getattr(offer.service, attribute))
        traced = tracing.active
        return call if traced is None else traced.call(offer.owner, self.name, attribute, call)

    def _first_call(
        self, attribute: str, plugin: str, /, *arguments: Any, **named: Any
    ) -> FirstCall:
        refuse = partial(ServiceAsleep, name=self.name, plugin=plugin, attribute=attribute)
        call = call_once_live(self._live, attribute, refuse, arguments, named)
        return FirstCall(call, refuse)

    def __bool__(self) -> bool:
        return self._find(self.name) is not None or self._sleeper(self.name) is not None

    @override
    def __repr__(self) -> str:
        return f"ServiceReference({self.name!r}, {'live' if self else 'offered by nobody'})"
