"""The features that most plugins use, each in its simplest form."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from math import ceil
from typing import Any

from fastapi import APIRouter, HTTPException, status

from nexus.events import Event
from nexus.plugins import BasePlugin, HealthStatus
from plugins.my_awesome_plugin.external_service import ExternalService
from plugins.my_awesome_plugin.models import ActionRequest, ActionResponse, Status
from plugins.my_awesome_plugin.rate_limit import RateLimit

Action = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class MyAwesomePlugin(BasePlugin):
    """Performs actions, counts them, and tells others about them.

    What must survive a restart or a reload is read from the stored data each time, and never kept
    here: while a new generation takes over, two objects of this class are at work for a moment.
    """

    def __init__(self) -> None:
        super().__init__()
        self.actions_since_start = 0
        self.in_maintenance = False
        self.service: ExternalService | None = None
        self._rate_limit = RateLimit()
        self._state_lock = asyncio.Lock()
        self._actions: dict[str, Action] = {
            "ping": self._ping,
            "echo": self._echo,
            "count": self._count,
            "sign": self._sign,
            "pause": self._pause,
            "resume": self._resume,
        }

    async def initialize(self) -> bool:
        """Open the connection, listen to events, and offer a service."""
        # The manifest requires the key: an application does not start the plugin without one.
        # A unit test may, and is told here what is missing.
        api_key = await self.get_config("api_key")
        if not api_key:
            self.logger.error("The setting api_key has no value")
            return False
        self.service = ExternalService(api_key)
        # The generation before this one hands its lock over, so that both count one by one.
        self._state_lock = self.get_service(f"{self.name}.lock") or self._state_lock
        self.register_service(f"{self.name}.lock", self._state_lock)
        await self.subscribe_to_event("user.created", self._handle_user_created)
        await self.subscribe_to_event("system.maintenance", self._handle_maintenance)
        self.register_service(f"{self.name}.api", self)
        await self.publish_event(
            f"{self.name}.initialized", {"version": self.version, "timestamp": _now()}
        )
        self.initialized = True
        return True

    async def shutdown(self) -> None:
        """Say goodbye, and close the connection."""
        await self.publish_event(
            f"{self.name}.shutdown", {"action_count": await self.get_data("action_count", 0)}
        )
        if self.service is not None:
            await self.service.close()

    def get_api_routes(self) -> list[APIRouter]:
        """Serve the status, the actions and the health check."""
        router = APIRouter(tags=[self.name])

        @router.get("/status", summary="Show the plugin's figures")
        async def get_status() -> Status:
            return Status(
                plugin=self.name,
                version=self.version,
                initialized=self.initialized,
                enabled=await self.get_config("enabled", default=True),
                action_count=await self.get_data("action_count", 0),
                last_action=await self.get_data("last_action"),
                users_welcomed=await self.get_data("users_welcomed", 0),
                uptime=self.get_metrics()["uptime"],
            )

        @router.post("/action", summary="Perform an action")
        async def perform_action(request: ActionRequest) -> ActionResponse:
            await self._check_enabled(request.action)
            await self._check_rate()
            try:
                result = await self.execute_action(request.action, request.parameters)
            except (ValueError, ConnectionError) as error:
                return ActionResponse(success=False, message=f"Action failed: {error}")
            message = f"Action {request.action!r} completed successfully"
            return ActionResponse(success=True, message=message, result=result)

        @router.get("/health", summary="Check the plugin's health")
        async def get_health() -> dict[str, Any]:
            return (await self.health_check()).dict()

        return [router]

    def get_database_schema(self) -> dict[str, Any]:
        """Give what is there from the first start on."""
        return {
            "initial_data": {
                "config": {"max_actions_per_minute": 60},  # settings, above the manifest's defaults
                "users_welcomed": 0,  # any other key is data
            },
        }

    async def health_check(self) -> HealthStatus:
        """Add the plugin's own parts to what the platform knows of it."""
        health = await super().health_check()
        enabled = await self.get_config("enabled", default=True)
        count = await self.get_data("action_count", 0)
        health.components["actions"] = {"status": "healthy", "count": count}
        health.components["configuration"] = {"status": "healthy" if enabled else "disabled"}
        if self.in_maintenance:
            health.message = "The application is in maintenance."
        health.metrics["actions_total"] = float(count)
        return health

    def get_metrics(self) -> dict[str, float]:
        """Add the plugin's own figures to the platform's."""
        return {
            **super().get_metrics(),
            "actions_since_start": float(self.actions_since_start),
        }

    async def execute_action(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Perform an action and tell others; the service `my_awesome_plugin.api` offers it.

        Raises:
            ValueError: There is no such action, or its parameters are wrong.
            ConnectionError: The external service could not be reached.
        """
        perform = self._actions.get(action)
        if perform is None:
            raise ValueError(f"Unknown action: {action}. Known are {', '.join(self._actions)}")
        result = await perform(parameters)
        self.actions_since_start += 1
        await self._add_one("action_count")
        await self.set_data("last_action", {"action": action, "timestamp": _now()})
        await self.publish_event(
            f"{self.name}.action_completed",
            {"action": action, "parameters": parameters, "result": result},
        )
        return result

    # The actions

    async def _ping(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {"message": "pong", "timestamp": _now()}

    async def _echo(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"echo": parameters.get("message", "Hello, World!")}

    async def _count(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {"current_count": await self.get_data("action_count", 0)}

    async def _sign(self, parameters: dict[str, Any]) -> dict[str, Any]:
        message = parameters.get("message")
        if not isinstance(message, str):
            raise ValueError("The parameter message must be a string")  # noqa: TRY004 - the client's
        return {"message": message, "signature": await self._call_service(message)}

    async def _pause(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        await self.set_config("enabled", value=False)
        return {"enabled": False}

    async def _resume(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        await self.set_config("enabled", value=True)
        return {"enabled": True}

    async def _call_service(self, message: str) -> str:
        if self.service is None:
            raise ConnectionError("the plugin has no connection yet")
        tries = await self.get_config("max_retries", 3)
        for attempt in range(1, tries):
            try:
                return await self.service.sign(message)
            except ConnectionError as error:
                self.logger.warning(
                    "A call to the external service failed",
                    extra={"attempt": attempt, "reason": str(error)},
                )
        return await self.service.sign(message)

    # What is checked before an action

    async def _check_enabled(self, action: str) -> None:
        if action != "resume" and not await self.get_config("enabled", default=True):
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                "The plugin is paused; resume it first.",
            )

    async def _check_rate(self) -> None:
        limit = await self.get_config("max_actions_per_minute", 60)
        seconds = self._rate_limit.take(limit)
        if seconds:
            raise HTTPException(
                status.HTTP_429_TOO_MANY_REQUESTS,
                f"There were {limit} actions in the last minute.",
                headers={"Retry-After": str(ceil(seconds))},
            )

    # Events

    async def _handle_user_created(self, event: Event) -> None:
        await self._add_one("users_welcomed")
        username = event.data.get("username", "Unknown")
        self.logger.info("A new user was created", extra={"username": username})

    async def _handle_maintenance(self, event: Event) -> None:
        self.in_maintenance = bool(event.data.get("active", True))

    async def _add_one(self, key: str) -> None:
        async with self._state_lock:
            await self.set_data(key, await self.get_data(key, 0) + 1)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def create_plugin() -> MyAwesomePlugin:
    """Give a new plugin object; without this function the one subclass above would be taken."""
    return MyAwesomePlugin()
