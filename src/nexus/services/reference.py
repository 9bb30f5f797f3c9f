"""A handle on a service that outlives swaps of its provider."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from nexus.services.registry import Offer


class ServiceReference:
    """Stands for whatever is offered under a name at the moment of use.

    Keep it as long as you like: `reference.charge(10)` reaches the generation that is live now.
    An attribute taken from it (`charge = reference.charge`) belongs to one generation; take it
    anew for each use.

    An asynchronous call that is in hand when its provider is reloaded ends on the old generation,
    which does not shut down before, within the drain limit.
    """

    __slots__ = ("_find", "_require", "name")

    def __init__(
        self,
        name: str,
        find: "Callable[[str], Offer | None]",
        require: "Callable[[str], Offer]",
    ) -> None:
        self.name = name
        self._find = find
        self._require = require

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

    def __getattr__(self, attribute: str) -> Any:
        offer = self._require(self.name)
        return offer.calls.counted(getattr(offer.service, attribute))

    def __bool__(self) -> bool:
        return self._find(self.name) is not None

    @override
    def __repr__(self) -> str:
        return f"ServiceReference({self.name!r}, {'live' if self else 'offered by nobody'})"
