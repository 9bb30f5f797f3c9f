"""The application as a whole in the management API."""

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext


class Maintenance(BaseModel):
    """Whether the application is in maintenance."""

    model_config = ConfigDict(extra="forbid")

    on: bool
    message: str = Field(
        default="The application is in maintenance. Please try again later.",
        min_length=1,
        max_length=500,
        description="What plugin routes answer meanwhile.",
    )


class MaintenanceState(BaseModel):
    """The maintenance in force."""

    on: bool
    message: str | None


class LostSecret(BaseModel):
    """A stored secret that no key opens."""

    plugin: str
    key: str


class Rotation(BaseModel):
    """What a rotation of the secret key has done."""

    key: str = Field(description="What the key is called that encrypts now; not the key itself.")
    encrypted: int
    lost: list[LostSecret]


def system_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/system`."""
    router = APIRouter(
        prefix="/system", tags=["management: system"], route_class=closed_route(context.tokens)
    )

    @router.get("", summary="Show versions, settings and figures of the application")
    async def system() -> dict[str, Any]:
        return {**context.system(), "workers": list(await context.operator.workers())}

    @router.get("/maintenance", summary="Tell whether there is maintenance")
    async def maintenance() -> MaintenanceState:
        message = context.maintenance()
        return MaintenanceState(on=message is not None, message=message)

    @router.put(
        "/maintenance",
        summary="Begin or end maintenance",
        description="Publishes `system.maintenance`. Plugin routes answer 503 meanwhile.",
    )
    async def set_maintenance(wish: Maintenance) -> MaintenanceState:
        message = wish.message if wish.on else None
        async with context.audit.change(
            "system.maintenance", before={"message": context.maintenance()}
        ) as change:
            await context.set_maintenance(message)
            change.after = {"message": message}
        return await maintenance()

    @router.post(
        "/secrets/rotate",
        summary="Encrypt all stored secrets with a new key",
        description="A run that ended too early is finished by another one.",
    )
    async def rotate_secrets() -> Rotation:
        async with context.audit.change("secrets.rotate", irreversible=True) as change:
            change.after = (await context.secrets.rotate()).dict()
        return Rotation.model_validate(change.after)

    @router.post(
        "/backup",
        summary="Download a consistent copy of the application's data",
        response_class=FileResponse,
    )
    async def backup() -> FileResponse:
        folder = tempfile.TemporaryDirectory(prefix="nexus-backup-")
        target = Path(folder.name) / "nexus-backup.db"
        try:
            async with context.audit.change("system.backup"):
                await context.backup(target)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(
            target,
            filename=target.name,
            media_type="application/vnd.sqlite3",
            background=BackgroundTask(folder.cleanup),
        )

    return router
