"""Whether the application lives, is ready, and is well."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from nexus.errors import NexusError
from nexus.events.log import EventLog, LogCondition
from nexus.observability.cached import Cached
from nexus.observability.health import HealthStatus
from nexus.plugins.manager import PluginManager
from nexus.plugins.safe_mode import SafeMode
from nexus.plugins.state import AT_REST
from nexus.security import AdminTokens

_NO_STORE = {"Cache-Control": "no-store"}
_COME_BACK = {**_NO_STORE, "Retry-After": "1"}
_CHECK_SECONDS = 1.0
"""How long the plugins' health checks are good for all who ask."""

Checks = Mapping[tuple[str, int], HealthStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthContext:
    """What the health pages ask.

    Attributes:
        manager: The plugins.
        tokens: Who may read the reasons.
        has_settled: Whether every enabled plugin has settled once since the start.
        check_database: Makes a round trip to the database and gives its seconds.
        engine: The kind of database.
        safe_mode: Keeps plugins from starting while it is on.
        log: The event log, None where there is none.
        is_leaving: Tells whether the process has been told to stop.
        left_behind: Gives the plugins that other workers have brought to where this one cannot,
            each with the reason.
    """

    manager: PluginManager
    tokens: AdminTokens
    has_settled: Callable[[], bool]
    check_database: Callable[[], Awaitable[float]]
    engine: str
    safe_mode: SafeMode = field(default_factory=SafeMode)
    log: EventLog | None = None
    is_leaving: Callable[[], bool] = bool
    left_behind: Callable[[], Mapping[str, str]] = dict


def health_router(context: HealthContext) -> APIRouter:
    """Give `/health/live`, `/health/ready` and `/health`.

    They need no token, so that a load balancer can ask; reasons, messages and components of
    plugins are shown to whoever sends a management token.
    """
    router = APIRouter(prefix="/health", tags=["health"])
    checks = Cached(lambda: _check_plugins(context.manager), _CHECK_SECONDS)

    @router.get("/live", summary="Whether the process answers")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "alive"}, headers=_NO_STORE)

    @router.get("/ready", summary="Whether requests may be sent here")
    async def ready(request: Request) -> JSONResponse:
        answer = await _what_keeps(context, request)
        if answer is None:
            return JSONResponse({"status": "ready"}, headers=_NO_STORE)
        return JSONResponse(answer, 503, headers=_COME_BACK)

    @router.get("", summary="How everything does")
    async def health(request: Request) -> JSONResponse:
        trusted = _is_trusted(request, context.tokens)
        database = await _database(context)
        plugins = _plugins(context.manager, await checks(), trusted=trusted)
        events = _events(context.log, trusted=trusted)
        well = all(entry["healthy"] for entry in plugins.values())
        well = well and events["status"] == "healthy" and not context.safe_mode.reason
        status = "healthy" if well else "degraded"
        if database["status"] != "healthy":
            status = "unhealthy"
        answer = {
            "status": status,
            "safe_mode": _safe_mode(context.safe_mode, trusted=trusted),
            "database": database,
            "events": events,
            "plugins": plugins,
            "counts": Counter(str(each.status.state) for each in context.manager.controllers()),
        }
        if status == "unhealthy":
            return JSONResponse(answer, 503, headers=_COME_BACK)
        return JSONResponse(answer, headers=_NO_STORE)

    return router


async def _what_keeps(context: HealthContext, request: Request) -> dict[str, Any] | None:
    """Tell why requests should not be sent here; None where they may be."""
    if context.is_leaving():
        return {"status": "stopping"}
    database = await _database(context)
    if database["status"] != "healthy":
        return {"status": "unready", "database": database}
    if not context.has_settled():
        waiting = [each.name for each in context.manager.controllers() if not each.settled]
        return {"status": "starting", "waiting_for": waiting}
    if left_behind := context.left_behind():
        trusted = _is_trusted(request, context.tokens)
        reasons = left_behind if trusted else dict.fromkeys(left_behind, "")
        return {"status": "left_behind", "plugins": dict(reasons)}
    return None


def _is_trusted(request: Request, tokens: AdminTokens) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and tokens.accepts(token)


async def _database(context: HealthContext) -> dict[str, Any]:
    try:
        seconds = await context.check_database()
    except NexusError as error:
        return {"engine": context.engine, "status": "unhealthy", "error": error.code}
    return {"engine": context.engine, "status": "healthy", "seconds": round(seconds, 6)}


def _events(log: EventLog | None, *, trusted: bool) -> dict[str, Any]:
    """Tell how the event log does, without asking its database."""
    if log is None:
        return {"status": "healthy"}
    condition = log.condition
    message = _advice(condition)
    answer: dict[str, Any] = {"status": "degraded" if message else "healthy"}
    if trusted:
        answer |= {"message": message, "size": condition.size, "limit": condition.limit}
        answer |= {"engine": condition.engine, "risk": condition.risk}
    return answer


def _safe_mode(safe_mode: SafeMode, *, trusted: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"on": bool(safe_mode.reason)}
    if trusted:
        answer["message"] = safe_mode.words
    return answer


def _advice(condition: LogCondition) -> str:
    """Say what is wrong with the event log and what to do; nothing when it is well."""
    if condition.trouble:
        return f"The event log cannot be worked with; it is tried again. {condition.trouble}"
    if not condition.is_nearly_full:
        return condition.lost
    state = "is full: publishing fails" if condition.is_full else "is nearly full"
    return (
        f"The event log {state}. It takes {condition.size} of {condition.limit} bytes. See who is"
        " behind with 'nexus events lag'; let it catch up, disable it, or raise events.log_limit."
    )


async def _check_plugins(manager: PluginManager) -> Checks:
    """Run the health checks of all plugins that serve, side by side."""
    live = [each.live for each in manager.controllers() if each.live is not None]
    found = await asyncio.gather(*(generation.health() for generation in live))
    # Not by generation itself, which would keep an old one's code alive.
    return {(each.plugin, each.number): health for each, health in zip(live, found, strict=True)}


def _plugins(manager: PluginManager, checks: Checks, *, trusted: bool) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    for each in manager.controllers():
        state = each.status.state
        # One that went live after the checks goes by its state until the next ones.
        health = None if each.live is None else checks.get((each.name, each.live.number))
        healthy = state in AT_REST if health is None else health.healthy
        entry: dict[str, Any] = {"state": str(state), "healthy": healthy}
        if trusted:
            trouble = "" if each.live is None else each.live.trouble
            entry["reason"] = each.status.reason or trouble
            if health is not None:
                entry["message"] = health.message
                entry["components"] = health.components
        entries[each.name] = entry
    return entries
