"""How a plugin's generation gets onto HTTP, and off it again."""

from collections.abc import Collection, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

from starlette.routing import BaseRoute

from nexus.manifest.endpoint import ApiEndpoint
from nexus.security.gate import IdentityGate
from nexus.web.caches import forget_callables, forget_endpoints, remember_endpoints
from nexus.web.dispatcher import PluginDispatcher
from nexus.web.guarded_mount import GuardedMount
from nexus.web.http_metrics import HttpMetrics
from nexus.web.mount import PluginMount, build_mount
from nexus.web.openapi import OpenApiDocument
from nexus.web.route_guard import guarded, refuse_undeclared
from nexus.web.route_paths import walk, walk_routers


class HttpExposure:
    """Takes a generation's routers through staging, commit, drain and end."""

    def __init__(
        self,
        dispatcher: PluginDispatcher,
        *,
        metrics: HttpMetrics,
        current: ContextVar[Any],
        app: object = None,
        gate: IdentityGate | None = None,
        require_declared: bool = False,
        document: OpenApiDocument | None = None,
    ) -> None:
        """Make the exposure.

        Args:
            dispatcher: Where mounts go live.
            metrics: Where their requests are counted.
            current: The context variable that says whose code runs.
            app: The application, given to the routers' lifespans.
            gate: Knows who sends a request.
            require_declared: Whether a route that the manifest does not declare is refused.
            document: Is told of the routes of plugins that start at their first use.
        """
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._current = current
        self._app = app
        self._gate = gate or IdentityGate()
        self._require_declared = require_declared
        self._document = document

    async def stage(
        self,
        name: str,
        generation: int,
        routers: Sequence[object],
        *,
        owner: object,
        place: str = "",
        endpoints: Sequence[ApiEndpoint] = (),
    ) -> PluginMount:
        """Build what serves the routers and enter their lifespans, without serving yet.

        Args:
            name: The plugin's name.
            generation: The number of its generation.
            routers: What `get_api_routes` returned.
            owner: The value of the context variable while a request is served.
            place: The path that the routes appear below; `/plugins/<name>` when empty.
            endpoints: What the manifest declares.

        Raises:
            InvalidRouter: Something is no APIRouter.
            RouteOutsidePrefix: A route's path would leave the plugin's prefix.
            RoutesNotDeclared: The application wants every route declared.
            Exception: What a router's lifespan raised.
        """
        kind = partial(GuardedMount, gate=self._gate, endpoints=endpoints)
        mount = build_mount(
            name,
            generation,
            routers,
            place=place,
            current=self._current,
            owner=owner,
            kind=kind if guarded(endpoints) else None,
        )
        if self._require_declared:
            refuse_undeclared(name, mount.routers, endpoints)
        if self._document is not None:
            mount.source = await self._document.sleeping.source_of(name)
        await mount.start(self._app)
        remember_endpoints(_endpoints(mount))
        return mount

    def occupied(self) -> Collection[str]:
        """Give the first segments of the paths that the application serves itself."""
        routes = getattr(self._dispatcher.elsewhere, "routes", ())
        return frozenset(f"/{path[1:].partition('/')[0]}" for path, _ in walk(routes))

    def commit(self, mount: PluginMount) -> None:
        """Let the mount serve; requests in flight stay with the one before it."""
        self._dispatcher.publish(mount)

    def withdraw(self, mount: PluginMount) -> None:
        """Take the mount off, unless a later generation has taken its place already."""
        if self._dispatcher.live.get(mount.name) is mount:
            self._dispatcher.withdraw(mount.name)

    def trouble(self, mount: PluginMount) -> str:
        """Say why requests are kept away from a mount; empty while they are not."""
        return mount.breaker.reason

    def traffic(self, mount: PluginMount) -> tuple[int, int]:
        """Give how many requests a mount has in hand, and how many it has had."""
        return mount.in_flight, mount.begun

    async def drain(self, mount: PluginMount, timeout: float) -> int:  # not an error
        """Let what is in flight finish, and end what is left after `timeout` seconds.

        Returns:
            How many requests and WebSockets were cut off.
        """
        return 0 if await mount.drained(timeout) else await mount.close_remaining()

    async def close(self, mount: PluginMount) -> None:
        """Leave the lifespans, and let go of everything that would keep the plugin's code alive."""
        if self._document is not None and mount.source and mount.series is not None:
            described = self._document.describe(mount)
            await self._document.sleeping.keep(mount.name, mount.source, described)
        await mount.stop()
        forget_endpoints(_endpoints(mount))
        forget_callables()
        successor = self._dispatcher.live.get(mount.name)
        if successor is None:
            self._metrics.forget(mount.name)
        else:
            self._metrics.series(mount.name).keep_only(successor.templates())


def _endpoints(mount: PluginMount) -> Iterator[object]:
    for _, route in walk_routers(mount.routers):
        yield from _calls(route)


def _calls(route: BaseRoute) -> Iterator[object]:
    yield getattr(route, "endpoint", None)
    yield getattr(getattr(route, "dependant", None), "call", None)
