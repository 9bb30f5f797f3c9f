"""The FastAPI application that plugins live in."""

import json
from time import monotonic
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.datastructures import URLPath
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import NoMatchFound
from starlette.types import ASGIApp, ExceptionHandler, Receive, Scope, Send
from typing_extensions import override

from nexus.security.gate import IdentityGate
from nexus.web.breaker import Breakers
from nexus.web.cross_origin import cross_origin_middleware
from nexus.web.dispatcher import PluginDispatcher, Status
from nexus.web.docs import add_docs
from nexus.web.errors import EXCEPTION_HANDLERS
from nexus.web.front import FusedMiddleware
from nexus.web.http_metrics import HttpMetrics
from nexus.web.openapi import OpenApiDocument
from nexus.web.rules import HttpRules

_TELEMETRY_SECONDS = 1.0


class NexusFastAPI(FastAPI):
    """A FastAPI application whose plugins can come and go while it serves.

    From the outside in: the front (ids, headers, limits, counts, last resort), CORS where it is on,
    the middleware that the builder added, the dispatcher. The dispatcher hands a plugin's requests
    straight to its mount, which supplies what FastAPI's remaining layers would; all other requests
    pass through those layers as in any FastAPI application.

    Attributes:
        dispatcher: Where plugins' mounts go live.
        metrics: The counts of requests.
        openapi_document: The document of the application and all live plugins.
        identity: Knows who sends a request.
    """

    def __init__(
        self,
        *,
        docs: bool = True,
        rules: HttpRules | None = None,
        access_log: bool = False,
        status_of: Status | None = None,
        identity: IdentityGate | None = None,
        breakers: Breakers | None = None,
        exception_handlers: dict[Any, Any] | None = None,
        **options: Any,
    ) -> None:
        """Make the application.

        Args:
            docs: Whether `/docs` and `/openapi.json` are served.
            rules: What requests are held to; no limits when left out. Routers and routes may set
                a lower limit for bodies of their own.
            access_log: Whether every request writes a line to the logger `nexus.access`.
            status_of: Tells the state of a plugin that does not serve.
            identity: Knows who sends a request; nobody is known when left out.
            breakers: What the circuit breakers of plugins go by.
            exception_handlers: Handlers that take precedence over the platform's.
            options: Whatever else FastAPI takes.
        """
        self.metrics = HttpMetrics()
        self.identity = identity or IdentityGate()
        self.dispatcher = PluginDispatcher(
            metrics=self.metrics, status_of=status_of, breakers=breakers
        )
        self.dispatcher.elsewhere = self
        self.openapi_document = OpenApiDocument(self)
        self._rules = rules or HttpRules()
        self._access_log = access_log
        self._docs = docs
        self._telemetry_seen = False
        self._telemetry_due = 0.0
        super().__init__(
            exception_handlers={**EXCEPTION_HANDLERS, **(exception_handlers or {})}, **options
        )

    @override
    def setup(self) -> None:
        if self._docs:
            add_docs(self)

    @override
    def build_middleware_stack(self) -> ASGIApp:
        last_resort: ExceptionHandler | None = None
        handlers: dict[Any, Any] = {}
        for key, handler in self.exception_handlers.items():
            if key in (500, Exception):
                last_resort = handler
            else:
                handlers[key] = handler
        inner = ExceptionMiddleware(
            AsyncExitStackMiddleware(self.router), handlers=handlers, debug=self.debug
        )
        self.dispatcher.app = inner
        self.dispatcher.handlers = (inner._exception_handlers, inner._status_handlers)  # noqa: SLF001
        app: ASGIApp = self.dispatcher
        for middleware, args, kwargs in reversed(self.user_middleware):
            app = middleware(app, *args, **kwargs)
        if self._rules.cross_origin is not None:
            app = cross_origin_middleware(app, self._rules.cross_origin)
        return FusedMiddleware(
            app,
            metrics=self.metrics,
            rules=self._rules,
            access_log=self._access_log,
            error_handler=last_resort,
        )

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # FastAPI asks OpenTelemetry's three registries at every request whether somebody has set
        # them up by now. Once a second is as good, and the stack is all that is left to call.
        if scope["type"] == "lifespan" or self._is_traced():
            await super().__call__(scope, receive, send)
            return
        if self.root_path:
            scope["root_path"] = self.root_path
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def _is_traced(self) -> bool:
        now = monotonic()
        if now >= self._telemetry_due:
            self._telemetry_due = now + _TELEMETRY_SECONDS
            self._telemetry_seen = self._native_telemetry.enabled()
        return self._telemetry_seen

    @override
    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document of the application and all live plugins."""
        document: dict[str, Any] = json.loads(self.openapi_document.render_now().body)
        return document

    @override
    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Give the path of a route of the application, or of a plugin's as `<plugin>:<route>`."""
        try:
            return super().url_path_for(name, **path_params)
        except NoMatchFound:
            return self.dispatcher.url_path_for(name, **path_params)
