"""One generation of a plugin, as an ASGI application below a path of its own."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any

from fastapi import APIRouter
from fastapi.telemetry._api import _route_selected
from opentelemetry.trace import get_current_span
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from nexus.errors import PluginExited
from nexus.observability.tracing import GENERATION, PLUGIN
from nexus.web.breaker import Breakers, CircuitBreaker
from nexus.web.exchange import EXCHANGE_KEY, Exchange
from nexus.web.http_metrics import HttpSeries
from nexus.web.lifespans import RouterLifespans
from nexus.web.overrides import adopt_overrides
from nexus.web.plugin_urls import PluginUrls
from nexus.web.problems import problem_response
from nexus.web.route_paths import accepted_routers, walk_routers
from nexus.web.router_choice import RouterChoice

logger = logging.getLogger(__name__)

_SERVICE_RESTART = 1012
_NOT_THE_PLUGINS = (ClientDisconnect, WebSocketDisconnect, HTTPException)
"""Errors that say nothing of the plugin: a client has gone, or has sent too much."""
_CUT_GRACE_SECONDS = 2.0


def build_mount(
    name: str,
    generation: int,
    routers: object,
    *,
    place: str = "",
    current: ContextVar[Any] | None = None,
    owner: object = None,
    kind: "Callable[..., PluginMount] | None" = None,
) -> "PluginMount":
    """Check a plugin's routers and make them servable.

    Args:
        name: The plugin's name.
        generation: The number of its generation.
        routers: What `get_api_routes` returned.
        place: The path that the routes appear below; `/plugins/<name>` when empty.
        current: The context variable that says whose code runs.
        owner: Its value while a request of this mount is served.
        kind: Makes the mount; a plain one when left out.

    Raises:
        InvalidRouter: Something is no APIRouter.
        RouteOutsidePrefix: A route's path would leave the plugin's prefix.
    """
    return (kind or PluginMount)(
        name=name,
        generation=generation,
        routers=accepted_routers(name, routers),
        place=place,
        current=current or ContextVar("nexus_unused_owner", default=None),
        owner=owner,
    )


class _Job:
    """A request or WebSocket that a mount is serving."""

    __slots__ = ("cut", "task")

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        self.cut = False


class PluginMount:
    """Serves the routers of one generation of a plugin.

    It supplies what FastAPI's outer layers would, see `NexusFastAPI`, and keeps count of what is
    in flight, so that the generation can be drained.

    Attributes:
        name: The plugin's name.
        generation: The number of its generation.
        place: The path that the manifest asks to be served at; empty when it asks for none.
        prefix: The path below which the routes appear, such as `/plugins/foo`.
        routers: The plugin's routers, in its order.
        urls: Gives the paths of its routes by name.
        series: Where its requests are counted, set when it goes live.
        breaker: Keeps requests away while they keep failing, the application's when it goes live.
        begun: How many requests and WebSockets there have been.
        source: The hash of the plugin's code, if it starts at its first use.
        identity: Stands for the mount where a reference would keep the plugin's code alive.
    """

    def __init__(
        self,
        *,
        name: str,
        generation: int,
        routers: tuple[APIRouter, ...],
        place: str,
        current: ContextVar[Any],
        owner: object,
    ) -> None:
        self.name = name
        self.generation = generation
        self.place = place
        self.prefix = prefix = place or f"/plugins/{name}"
        self.routers = routers
        self._current = current
        self._owner = owner
        self._choice = RouterChoice(routers, prefix)
        self._static = self._choice.static
        self.urls = PluginUrls(prefix, routers)
        self._lifespans = RouterLifespans(name, routers, current=current, owner=owner)
        self.series: HttpSeries | None = None
        self.breaker = CircuitBreaker(name, Breakers(), lambda: 0)
        self.identity = object()
        self.source = ""
        self.begun = 0
        self._jobs: set[_Job] = set()
        self._idle: asyncio.Event | None = None
        self._overridden = False

    def needs_user(self, _method: str, _path: str) -> bool:
        """Tell whether the manifest asks for a user, by method and path of a route."""
        return False

    def templates(self) -> frozenset[str]:
        """Give the templates of its routes."""
        return frozenset(self.prefix + path for path, _ in walk_routers(self.routers))

    @property
    def in_flight(self) -> int:
        """How many requests and WebSockets are being served."""
        return len(self._jobs)

    def serves_in(self, task: object) -> bool:
        """Tell whether a task serves a request of this mount; any thread may ask."""
        return any(job.task is task for job in tuple(self._jobs))

    async def start(self, app: object = None) -> None:
        """Enter the routers' lifespans; what they yield is visible as `request.state`."""
        await self._lifespans.start(app)

    async def stop(self, timeout: float = 10.0) -> None:
        """Leave the routers' lifespans, in reverse; what fails is logged."""
        await self._lifespans.stop(timeout)

    async def __call__(  # noqa: C901 # one coroutine a request instead of three
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request whose path is below the prefix."""
        root_path = scope.get("root_path", "")
        scope.setdefault("app_root_path", root_path)
        scope["root_path"] = root_path = root_path + self.prefix
        scope["router"] = self.urls
        app = scope["app"]
        if app.dependency_overrides and not self._overridden:
            self._overridden = True
            adopt_overrides(self.routers, app)
        if self._lifespans.state:
            scope.setdefault("state", {}).update(self._lifespans.state)
        job = _Job()
        self._jobs.add(job)
        self.begun += 1
        token = self._current.set(self._owner)
        try:
            async with AsyncExitStack() as stack:
                scope["fastapi_middleware_astack"] = stack
                found = (
                    self._static.get((scope["method"], scope["path"][len(root_path) :]))
                    if scope["type"] == "http"
                    and "fastapi.telemetry" not in scope
                    # Or it is routed, and was guarded, as a path that is not below the root path.
                    and scope["path"].startswith(root_path)
                    else None
                )
                if found is None:
                    await self._serve(scope, receive, send)
                else:
                    route, template = found
                    exchange: Exchange | None = scope.get(EXCHANGE_KEY)
                    if exchange is not None:
                        exchange.route = template
                    scope["route"] = route
                    scope["endpoint"] = route.endpoint
                    scope["path_params"] = {}
                    await route.app(scope, receive, send)
        except asyncio.CancelledError:
            if not job.cut:
                raise
            await self._answer_cut(scope, receive, send, job)
        except Exception as error:  # noqa: BLE001 # the border of plugin code
            await self._handle(scope, receive, send, error)
        except GeneratorExit:
            raise
        except BaseException as error:
            # SystemExit and its like would end the event loop, and so everybody's requests.
            self.breaker.failed(error)
            raise PluginExited(plugin=self.name, kind=type(error).__name__) from error
        finally:
            self._current.reset(token)
            self._jobs.discard(job)
            if self._idle is not None and not self._jobs:
                self._idle.set()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "fastapi.telemetry" in scope:
            _route_selected(scope=scope, path=self.prefix, mount=True)
            span = get_current_span()
            span.set_attributes({PLUGIN: self.name, GENERATION: self.generation})
        await self._choice.serve(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
        """Do what FastAPI's ExceptionMiddleware does around an application's router."""
        try:
            await self._answer(scope, receive, send, error)
        except _NOT_THE_PLUGINS:
            raise
        except Exception as unhandled:
            self.breaker.failed(unhandled)
            raise

    async def _answer(self, scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
        exchange: Exchange | None = scope.get(EXCHANGE_KEY)
        if exchange is not None and exchange.started:
            raise error

        async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
            raise error

        connection = (
            Request(scope, receive, send)
            if scope["type"] == "http"
            else WebSocket(scope, receive, send)
        )
        await wrap_app_handling_exceptions(fail, connection)(scope, receive, send)

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing is in flight, at most `timeout` seconds.

        Returns:
            Whether everything has finished.
        """
        if not self._jobs:
            return True
        self._idle = asyncio.Event()
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        finally:
            self._idle = None
        return True

    async def close_remaining(self) -> int:
        """End what is still in flight: WebSockets with code 1012, HTTP responses by breaking off.

        Returns:
            How many were cut off.
        """
        jobs = [job for job in self._jobs if not job.cut]
        for job in jobs:
            job.cut = True
            if job.task is not None:
                job.task.cancel()
        if jobs and not await self.drained(_CUT_GRACE_SECONDS):
            logger.warning(
                "requests of a plugin do not end although they were cancelled",
                extra={"plugin": self.name, "requests": len(self._jobs)},
            )
        return len(jobs)

    async def _answer_cut(self, scope: Scope, receive: Receive, send: Send, job: _Job) -> None:
        """Tell the client that the plugin's generation has ended under its request."""
        if job.task is not None:
            job.task.uncancel()
        exchange: Exchange | None = scope.get(EXCHANGE_KEY)
        if scope["type"] == "websocket":
            if exchange is None or not exchange.ended:
                message = {"type": "websocket.close", "code": _SERVICE_RESTART}
                await send({**message, "reason": "service restart"})
        elif exchange is not None and not exchange.started:
            response = problem_response(
                503,
                detail=f"Plugin {self.name!r} was stopped while it worked on this request.",
                code="plugin-stopped",
                instance=scope["path"],
                headers={"Retry-After": "1"},
            )
            await response(scope, receive, send)
