"""Services whose providers do not run yet, and the calls that start them."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import override

from nexus.errors import ServiceAsleep

if TYPE_CHECKING:
    from nexus.services.registry import Offer


class SleepingProviders(Protocol):
    """The plugins that start when one of their services is used for the first time."""

    def owner_of_sleeping(self, service: str) -> str | None:
        """Give the plugin that a use of a service would start; None when there is none."""

    def wake_for_service(self, service: str) -> None:
        """Start it without waiting for it."""

    async def start_for_service(self, service: str) -> None:
        """Start it, and wait until it runs.

        Raises:
            PluginNotRunning: It could not be started, or not in time.
        """


class Nobody:
    """`SleepingProviders` where there are none."""

    def owner_of_sleeping(self, _service: str) -> str | None:
        """Give None."""
        return None

    def wake_for_service(self, service: str) -> None:
        """Start nothing."""

    async def start_for_service(self, service: str) -> None:
        """Start nothing."""


class FirstCall(Awaitable[Any]):
    """A call of a service whose provider sleeps: awaiting it starts the provider, then calls.

    Whether the method is asynchronous shows when there is a service. So it can only be awaited; as
    the result of a plain method it would be taken for one.
    """

    __slots__ = ("_call", "_refuse")

    def __init__(self, call: Coroutine[Any, Any, Any], refuse: Callable[[], ServiceAsleep]) -> None:
        self._call = call
        self._refuse = refuse

    @override
    def __await__(self) -> Generator[Any, Any, Any]:
        return self._call.__await__()

    def __bool__(self) -> bool:
        self._call.close()
        raise self._refuse()


async def call_once_live(
    start: Callable[[], Awaitable["Offer"]],
    attribute: str,
    refuse: Callable[[], ServiceAsleep],
    arguments: tuple[Any, ...],
    named: dict[str, Any],
) -> Any:
    """Call a method of a service whose provider has to be started first.

    Raises:
        ServiceAsleep: It is no `async def`; it was not called.
    """
    offer = await start()
    method = getattr(offer.service, attribute)
    if not inspect.iscoroutinefunction(method):
        raise refuse()
    return await offer.calls.counted(method)(*arguments, **named)
