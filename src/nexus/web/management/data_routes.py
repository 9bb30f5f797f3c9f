"""What plugins have stored, in the management API."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext


class StoredCollection(BaseModel):
    """A collection and its size."""

    name: str
    table: str
    documents: int


class StoredTable(BaseModel):
    """A table of a plugin's models and its size."""

    name: str
    table: str
    rows: int


class StoredThings(BaseModel):
    """Everything that a plugin has stored."""

    plugin: str
    engine: str = Field(description="The kind of database that it is in.")
    settings: list[str] = Field(description="The keys of stored settings.")
    data: int = Field(description="How many values set_data has stored.")
    collections: list[StoredCollection]
    tables: list[StoredTable]
    migrated: bool = Field(description="Whether migrations are noted.")
    revisions: list[str] = Field(description="The migrations that the tables are at.")
    seeded: list[str] = Field(description="The notes that first data was stored.")
    others: list[str] = Field(description="Views, sequences and types.")
    wish: bool | None = Field(description="Whether an operator wants the plugin to run.")


def data_router(context: ManagementContext) -> APIRouter:
    """Give `/plugins/{name}/data` and `/plugins/{name}/export`."""
    router = APIRouter(
        prefix="/plugins",
        tags=["management: stored data"],
        route_class=closed_route(context.tokens),
    )

    @router.get(
        "/{name}/data",
        summary="Show what a plugin has stored",
        description="Also for a plugin whose folder has gone.",
    )
    async def show(name: str) -> StoredThings:
        return StoredThings.model_validate((await context.data.inventory(name)).dict())

    @router.delete(
        "/{name}/data",
        summary="Remove everything that a plugin has stored",
        description="Answers with what was removed. The plugin must be disabled, or its folder"
        " gone; else the answer is 409.",
    )
    async def purge(name: str) -> StoredThings:
        async with context.audit.change("data.purge", plugin=name, irreversible=True) as change:
            removed = (await context.data.purge(name)).dict()
            change.before = removed
        return StoredThings.model_validate(removed)

    @router.get(
        "/{name}/export",
        summary="Download everything that a plugin has stored as a data file",
        response_class=StreamingResponse,
    )
    async def export(name: str) -> StreamingResponse:
        async with context.audit.change("data.export", plugin=name):
            blocks = await context.data.export(name)
        headers: dict[str, Any] = {
            "Content-Disposition": f'attachment; filename="{name}.jsonl"',
            "Cache-Control": "no-store",
        }
        return StreamingResponse(blocks, media_type="application/x-ndjson", headers=headers)

    return router
