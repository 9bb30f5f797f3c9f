"""What plugins log, in the management API."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.everywhere import Workers, whose
from nexus.web.management.log_query import Last, Level, LowestLevel, number_of
from nexus.web.management.log_sharing import last_lines, share_logs
from nexus.web.management.log_stream import log_stream_router


class LogLines(Workers):
    """The last log lines of a plugin, oldest first."""

    level: Level | None = Field(description="The level set for the plugin, null for none.")
    items: list[dict[str, Any]] = Field(
        description="Each line as it is logged, with an `id` and the `worker` that has written it."
    )


class WantedLevel(BaseModel):
    """How severe what a plugin logs must be to be logged."""

    model_config = ConfigDict(extra="forbid")

    level: Level | None = Field(description="null to go by the application's level again.")


def log_router(context: ManagementContext) -> APIRouter:
    """Give `/plugins/{name}/logs`, `/logs/stream` and `/log-level`."""
    router = APIRouter(
        prefix="/plugins", tags=["management: plugins"], route_class=closed_route(context.tokens)
    )

    share_logs(context)

    @router.get(
        "/{name}/logs",
        summary="Show a plugin's last log lines",
        description="Those of all workers that share the address, but for the access log. Secrets"
        " are masked.",
    )
    async def logs(name: str, level: LowestLevel = "DEBUG", limit: Last = 100) -> LogLines:
        context.manager.controller(name)
        found, lines = await last_lines(context, name, level=number_of(level), limit=limit)
        wanted: Any = context.logs.levels.level_of(name)
        return LogLines(
            level=wanted,
            items=[each.fields for each in lines],
            **await whose(found, context.operator),
        )

    @router.put(
        "/{name}/log-level",
        summary="Change how much a plugin logs, on all workers",
        description="It is kept over reloads and restarts, until it is null again.",
    )
    async def set_level(name: str, wanted: WantedLevel) -> WantedLevel:
        await context.operator.set_log_level(name, wanted.level)
        return wanted

    own = APIRouter()
    own.include_router(router)
    own.include_router(log_stream_router(context))
    return own
