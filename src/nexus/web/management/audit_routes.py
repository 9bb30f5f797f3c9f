"""The audit log in the management API: for reading only."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from nexus.audit import AuditQuery
from nexus.audit.entry import MOST
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.moment import since as moment_of


class AuditRow(BaseModel):
    """Who has changed what."""

    id: int
    time: datetime
    actor: str = Field(description="`cli:<user>`, `token:<name>`, `plugin:<name>` or `system`.")
    address: str = Field(description="The network address that they came from.")
    worker: str = Field(description="The process, as `host:pid`.")
    action: str
    result: str = Field(description="`done`, `refused`, or `begun` before what cannot be undone.")
    plugin: str
    before: Any
    after: Any
    request_id: str


class AuditPage(BaseModel):
    """Rows of the audit log, newest first."""

    items: list[AuditRow]
    next: int | None = Field(description="What to give as `before` for the next page, if any.")


def audit_router(context: ManagementContext) -> APIRouter:
    """Give `/audit`."""
    router = APIRouter(
        prefix="/audit", tags=["management: audit"], route_class=closed_route(context.tokens)
    )

    @router.get("", summary="Read who has changed what, newest first")
    async def read(
        plugin: Annotated[str | None, Query(max_length=255)] = None,
        actor: Annotated[str | None, Query(max_length=255)] = None,
        action: Annotated[
            str | None, Query(max_length=255, description="An action, or its beginning and a `*`.")
        ] = None,
        since: Annotated[
            str | None, Query(description="A time in ISO 8601, or how long ago: 15m, 2h, 7d.")
        ] = None,
        before: Annotated[int | None, Query(ge=1, le=2**62, description="An id")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> AuditPage:
        if "\0" in f"{plugin}{actor}{action}":
            raise HTTPException(422, "Expected no NUL in plugin, actor and action.")
        try:
            moment = None if since is None else moment_of(since) / 1e9
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        query = AuditQuery(
            plugin=plugin, actor=actor, action=action, since=moment, before=before, limit=limit + 1
        )
        found = await context.audit.read(query)
        shown, more = found[:limit], len(found) > limit
        return AuditPage(
            items=[AuditRow.model_validate(each.dict()) for each in shown],
            next=shown[-1].id if more else None,
        )

    return router
