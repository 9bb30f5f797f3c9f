"""Who asks, in the management API."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from nexus.audit import current_actor
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.roles import user_who_may


class CallerView(BaseModel):
    """Whoever sends the request."""

    name: str = Field(description="As the audit log has it: `user:<name>` or `token:<name>`.")
    method: str = Field(description="`token`, or how the user has signed in.")
    permissions: list[str] = Field(description="What they may do; `*` stands for everything.")


def caller_router(context: ManagementContext) -> APIRouter:
    """Give `/me`."""
    router = APIRouter(tags=["management: system"], route_class=closed_route(context.tokens))

    @router.get("/me", summary="Show who sends the request, and what they may do")
    async def me(request: Request) -> CallerView:
        name = current_actor().name
        user = await user_who_may(request) if name.startswith("user:") else None
        if user is None:
            return CallerView(name=name, method="token", permissions=["*"])
        return CallerView(name=name, method=user.method, permissions=sorted(user.permissions))

    return router
