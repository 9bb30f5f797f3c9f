"""From a path to the plugin that serves it: one dictionary look-up, whatever their number."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette._exception_handler import ExceptionHandlers, StatusHandlers
from starlette.datastructures import URLPath
from starlette.responses import Response
from starlette.routing import NoMatchFound
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus.observability.request_id import current_request_id
from nexus.plugins.places import Places
from nexus.plugins.state import PluginState, PluginStatus
from nexus.web.breaker import Breakers, CircuitBreaker
from nexus.web.exchange import EXCHANGE_KEY, Exchange
from nexus.web.http_metrics import HttpMetrics
from nexus.web.mount import PluginMount
from nexus.web.problems import ProblemResponse, problem_response, problem_type
from nexus.web.route_templates import plain_template, served_template

PLUGINS_PREFIX = "/plugins/"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RETRY_AFTER = {"Retry-After": "5"}
_NO_PLUGIN = (
    json.dumps(
        {
            "type": problem_type("plugin-not-found"),
            "title": "Not Found",
            "status": 404,
            "detail": "No plugin answers at this address.",
            "code": "plugin-not-found",
        },
        separators=(",", ":"),
    )
    .encode()
    .removesuffix(b"}")
)

Status = Callable[[str], PluginStatus | None]
FirstUse = Callable[[str], Awaitable[bool] | None]


class PluginDispatcher:
    """Hands requests to the plugins whose paths they are for, and all others to the application.

    Attributes:
        live: The mounts that serve, by plugin name. A change of one entry is the whole commit.
        mounted: Those of them that serve elsewhere than below `/plugins`, by where.
        version: Changes whenever `live` does.
        app: What serves all other paths.
        handlers: The application's exception handlers, as Starlette keeps them in the scope.
        status_of: Tells the state of a plugin that does not serve.
        breakers: What the circuit breakers of the mounts have in common.
        places: Knows where plugins ask to be served that do not serve now.
        first_use: Starts a plugin that a request is for, and waits for it; see `Starter`.
        maintenance: While not None, plugins' routes answer 503 with this text.
    """

    def __init__(
        self,
        *,
        metrics: HttpMetrics,
        status_of: Status | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        self.live: dict[str, PluginMount] = {}
        self.mounted: dict[str, PluginMount] = {}
        self.places = Places()
        self.version = 0
        self.app: ASGIApp = _nothing_here
        self.handlers: tuple[ExceptionHandlers, StatusHandlers] = ({}, {})
        self.status_of: Status = status_of or _no_status
        self.first_use: FirstUse = _no_start
        self.maintenance: str | None = None
        self.elsewhere: Any = None
        self.breakers = breakers or Breakers()
        self._metrics = metrics

    def publish(self, mount: PluginMount) -> None:
        """Let the mount serve its plugin's paths from now on, in place of an earlier one."""
        mount.series = series = self._metrics.series(mount.name)
        mount.breaker = CircuitBreaker(mount.name, self.breakers, lambda: series.answered)
        mount.urls.elsewhere = self.elsewhere
        self._leave(self.live.get(mount.name))
        self.live[mount.name] = mount
        if mount.place:
            self.mounted[mount.place] = mount
        self.version += 1

    def withdraw(self, name: str) -> PluginMount | None:
        """Take the plugin's paths away; what its mount is serving goes on.

        Returns:
            The mount that served, None when there was none.
        """
        self.version += 1
        mount = self.live.pop(name, None)
        self._leave(mount)
        return mount

    def _leave(self, mount: PluginMount | None) -> None:
        if mount is not None and self.mounted.get(mount.place) is mount:
            del self.mounted[mount.place]

    def served_in(self, task: object) -> str | None:
        """Give the plugin that a task serves a request of; any thread may ask."""
        mounts = tuple(self.live.values())
        return next((mount.name for mount in mounts if mount.serves_in(task)), None)

    async def close_remaining(self) -> None:
        """End what every live mount still serves, as a drain does at its limit."""
        await asyncio.gather(*(mount.close_remaining() for mount in self.live.values()))

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Give the path of a plugin's route, which is named `<plugin>:<route>`.

        Raises:
            NoMatchFound: No live plugin has it.
        """
        plugin, separator, route = name.partition(":")
        mount = self.live.get(plugin)
        if not separator or mount is None:
            raise NoMatchFound(name, path_params)
        return mount.urls.own_url_path_for(route, **path_params)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path: str = scope.get("path", "")
        root_path: str = scope.get("root_path", "")
        if root_path and path.startswith(root_path):
            path = path[len(root_path) :]
        raw_path: bytes | None = scope.get("raw_path")
        is_encoded = raw_path is None or b"%" in raw_path
        if is_encoded and _CONTROL.search(path):
            # A route's pattern ends with "$", which also matches in front of a last line break.
            await self._refuse("", scope, receive, send)
            return
        name, prefix, mount = self._find(path)
        if name is None:
            await self._serve_elsewhere(scope, receive, send)
            return
        mount = mount or await self._start(name, prefix, scope, is_encoded=is_encoded)
        if mount is None or self.maintenance is not None:
            await self._refuse(name, scope, receive, send)
        elif is_encoded and raw_path is not None and not _is_spelled_out(scope, prefix):
            await self._refuse("", scope, receive, send)
        else:
            exchange: Exchange | None = scope.get(EXCHANGE_KEY)
            if exchange is not None:
                exchange.plugin = name
                exchange.series = mount.series
            scope["starlette.exception_handlers"] = self.handlers
            if mount.breaker.is_open:
                await _try(mount, scope, receive, send)
                return
            await mount(scope, receive, send)

    def _find(self, path: str) -> tuple[str | None, str, PluginMount | None]:
        """Give the plugin that a path is for, the prefix of its paths, and what serves them.

        The name is None where the path is the application's, and empty where it is nobody's.
        """
        if path.startswith(PLUGINS_PREFIX):
            name = path[9:].partition("/")[0]
            mount = self.live.get(name)
            is_elsewhere = self.places.place_of(name) if mount is None else mount.place
            return ("", "", None) if is_elsewhere else (name, PLUGINS_PREFIX + name, mount)
        end = path.find("/", 1)
        place = path if end < 0 else path[:end]
        mount = self.mounted.get(place)
        owner = self.places.plugin_at(place) if mount is None else mount.name
        return owner, place, mount

    async def _serve_elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            exchange: Exchange | None = scope.get(EXCHANGE_KEY)
            if exchange is not None:
                exchange.route = self._template_elsewhere(scope)

    def _template_elsewhere(self, scope: Scope) -> str:
        served = served_template(scope)
        if served is None:
            served = plain_template(scope, getattr(self.elsewhere, "routes", ()))
        return served or ""

    async def _start(
        self, name: str, prefix: str, scope: Scope, *, is_encoded: bool
    ) -> PluginMount | None:
        """Wait for a plugin that starts at its first use."""
        starting = None
        if self.maintenance is not None:
            return None
        if not is_encoded or scope.get("raw_path") is None or _is_spelled_out(scope, prefix):
            starting = self.first_use(name)
        if starting is not None:
            await starting
        mount = self.live.get(name)
        return mount if mount is not None and mount.prefix == prefix else None

    async def _refuse(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        status = self.status_of(name) if name else None
        response: Response
        if self.maintenance is not None and (status is not None or name in self.live):
            response = problem_response(
                503,
                detail=self.maintenance,
                code="maintenance",
                instance=scope["path"],
                headers=_RETRY_AFTER,
            )
        elif status is not None and status.state is not PluginState.RUNNING:
            because = f": {status.reason}" if status.reason else ""
            response = problem_response(
                503,
                detail=f"Plugin {name!r} is {status.state}{because}",
                code="plugin-not-running",
                instance=scope["path"],
                headers=_RETRY_AFTER,
                state=str(status.state),
            )
        else:
            response = _no_plugin(scope["path"])
        await _deny(response, scope, receive, send)


async def _try(mount: PluginMount, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer for a plugin whose requests keep failing, unless this one is the next trial."""
    breaker = mount.breaker
    if scope["type"] != "http" or not breaker.admits():
        response = problem_response(
            503,
            detail=breaker.reason,
            code="circuit-open",
            instance=scope["path"],
            headers={"Retry-After": str(breaker.seconds)},
            state=str(PluginState.RUNNING),
        )
        await _deny(response, scope, receive, send)
        return

    async def heard(message: Message) -> None:
        if message["type"] == "http.response.start":
            breaker.succeeded()
        await send(message)

    try:
        await mount(scope, receive, heard)
    except Exception as error:
        breaker.trial_failed(error)
        raise


async def _deny(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and not _may_deny(scope):
        await send({"type": "websocket.close", "code": 1013, "reason": "not available"})
        return
    await response(scope, receive, send)


def _no_plugin(path: str) -> Response:
    # Scanners ask for what does not exist all day: what is the same each time is rendered once.
    request_id = current_request_id.get() or ""
    return ProblemResponse(
        b'%b,"instance":%b,"request_id":"%b"}'
        % (_NO_PLUGIN, json.dumps(path).encode(), request_id.encode()),
        404,
    )


def _is_spelled_out(scope: Scope, prefix: str) -> bool:
    """Tell whether the way to the plugin was written without percent-encoding.

    A proxy that guards paths compares them as they are written: `/plugins/foo%2Fadmin` must not
    be `/plugins/foo/admin` here when it is something else there.
    """
    raw_path: bytes = scope["raw_path"]
    written = prefix.encode()
    # Servers differ in whether the raw path has the root path in front.
    below_root = raw_path.removeprefix(scope.get("root_path", "").encode())
    rest = below_root[len(written) :]
    return below_root.startswith(written) and (not rest or rest.startswith((b"/", b"?")))


def _may_deny(scope: Scope) -> bool:
    return "websocket.http.response" in scope.get("extensions", {})


def _no_status(_name: str) -> PluginStatus | None:
    return None


def _no_start(_name: str) -> Awaitable[bool] | None:
    return None


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await problem_response(404, instance=scope["path"])(scope, receive, send)
