"""A handle on a service that outlives swaps of its provider."""

from collections.abc import Callable
from typing import Any

from typing_extensions import override


class ServiceReference:
    """Stands for whatever is offered under a name at the moment of use.

    Keep it as long as you like: `reference.charge(10)` reaches the generation that is live now.
    An attribute taken from it (`charge = reference.charge`) belongs to one generation; take it
    anew for each use.
    """

    __slots__ = ("_find", "_require", "name")

    def __init__(
        self,
        name: str,
        find: Callable[[str], object | None],
        require: Callable[[str], object],
    ) -> None:
        self.name = name
        self._find = find
        self._require = require

    def get(self) -> Any:
        """Give the service, or None when nobody offers it now."""
        return self._find(self.name)

    def require(self) -> Any:
        """Give the service.

        Raises:
            ServiceNotFound: Nobody offers it now.
        """
        return self._require(self.name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._require(self.name), attribute)

    def __bool__(self) -> bool:
        return self._find(self.name) is not None

    @override
    def __repr__(self) -> str:
        return f"ServiceReference({self.name!r}, {'live' if self else 'offered by nobody'})"
