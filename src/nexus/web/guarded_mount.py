"""The mount of a plugin that does not let everybody use everything."""

from collections.abc import Sequence
from typing import Any

from starlette._utils import get_route_path
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from nexus.manifest.endpoint import ApiEndpoint
from nexus.security.gate import IdentityGate
from nexus.web.mount import PluginMount
from nexus.web.route_guard import RouteGuard


class GuardedMount(PluginMount):
    """Asks who sends a request before any of the plugin's code sees it.

    A kind of its own, so that where everybody may use everything nothing is asked at all.
    """

    def __init__(
        self, *, gate: IdentityGate, endpoints: Sequence[ApiEndpoint], **options: Any
    ) -> None:
        super().__init__(**options)
        self._gate = gate
        self.guard = RouteGuard(self.routers, endpoints)

    @override
    def needs_user(self, method: str, path: str) -> bool:
        """Tell whether the manifest asks for a user, by method and path of a route."""
        return bool(self.guard.declared(method, path))

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        root_path = scope.get("root_path", "") + self.prefix
        path = get_route_path({"path": scope["path"], "root_path": root_path})
        method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
        needs = self.guard.needs(method, path)
        if needs:
            try:
                await self._gate.require(scope, sorted(needs))
            except Exception as error:  # noqa: BLE001 # the identity provider is a plugin
                await self._handle(scope, receive, send, error)
                return
        await super().__call__(scope, receive, send)
