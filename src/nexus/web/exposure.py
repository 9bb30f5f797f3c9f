"""How a plugin's generation gets onto HTTP, and off it again."""

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from starlette.routing import BaseRoute

from nexus.web.caches import forget_callables, forget_endpoints
from nexus.web.dispatcher import PluginDispatcher
from nexus.web.http_metrics import HttpMetrics
from nexus.web.mount import PluginMount, build_mount
from nexus.web.route_paths import walk_routers


class HttpExposure:
    """Takes a generation's routers through staging, commit, drain and end."""

    def __init__(
        self,
        dispatcher: PluginDispatcher,
        *,
        metrics: HttpMetrics,
        current: ContextVar[Any],
        app: object = None,
    ) -> None:
        """Make the exposure.

        Args:
            dispatcher: Where mounts go live.
            metrics: Where their requests are counted.
            current: The context variable that says whose code runs.
            app: The application, given to the routers' lifespans.
        """
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._current = current
        self._app = app

    async def stage(
        self, name: str, generation: int, routers: Sequence[object], *, owner: object
    ) -> PluginMount:
        """Build what serves the routers and enter their lifespans, without serving yet.

        Raises:
            InvalidRouter: Something is no APIRouter.
            RouteOutsidePrefix: A route's path would leave the plugin's prefix.
            Exception: What a router's lifespan raised.
        """
        mount = build_mount(name, generation, routers, current=self._current, owner=owner)
        await mount.start(self._app)
        return mount

    def commit(self, mount: PluginMount) -> None:
        """Let the mount serve; requests in flight stay with the one before it."""
        self._dispatcher.publish(mount)

    def withdraw(self, mount: PluginMount) -> None:
        """Take the mount off, unless a later generation has taken its place already."""
        if self._dispatcher.live.get(mount.name) is mount:
            self._dispatcher.withdraw(mount.name)

    async def drain(self, mount: PluginMount, timeout: float) -> int:  # not an error
        """Let what is in flight finish, and end what is left after `timeout` seconds.

        Returns:
            How many requests and WebSockets were cut off.
        """
        return 0 if await mount.drained(timeout) else await mount.close_remaining()

    async def close(self, mount: PluginMount) -> None:
        """Leave the lifespans, and let go of everything that would keep the plugin's code alive."""
        await mount.stop()
        forget_endpoints(_endpoints(mount))
        forget_callables()
        if mount.name not in self._dispatcher.live:
            self._metrics.forget(mount.name)


def _endpoints(mount: PluginMount) -> Iterator[object]:
    for _, route in walk_routers(mount.routers):
        yield from _calls(route)


def _calls(route: BaseRoute) -> Iterator[object]:
    yield getattr(route, "endpoint", None)
    yield getattr(getattr(route, "dependant", None), "call", None)
