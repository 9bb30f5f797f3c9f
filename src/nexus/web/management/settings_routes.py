"""The plugins' configuration in the management API."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from nexus.web.management.context import ManagementContext


class SettingView(BaseModel):
    """One setting of a plugin."""

    key: str
    value: Any = Field(description="The value in force; secrets are masked.")
    source: str | None = Field(description="The layer that the value comes from.")
    declared: bool = Field(description="Whether the manifest declares the setting.")
    required: bool
    secret: bool
    fixed: bool = Field(description="Whether an environment variable fixes it.")
    problem: str | None = Field(description="What is wrong with it, None when nothing is.")


class SettingList(BaseModel):
    """A plugin's settings, and the state that it is in with them."""

    items: list[SettingView]
    state: str
    reason: str


Changes = Annotated[
    dict[str, Any],
    Body(
        description="Values by key; null removes the stored value. All are stored, or none.",
        examples=[{"max_retries": 5}],
    ),
]


def settings_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/plugins/{name}/config`."""
    router = APIRouter(prefix="/plugins/{name}/config", tags=["management: configuration"])

    def shown(name: str) -> SettingList:
        status = context.manager.controller(name).status
        items = [SettingView(**asdict(entry)) for entry in context.settings.entries(name)]
        return SettingList(items=items, state=status.state, reason=status.reason)

    @router.get("", summary="Show the value and source of each setting")
    async def show(name: str) -> SettingList:
        return shown(name)

    @router.patch("", summary="Change settings; answers when the plugin has been judged anew")
    async def change(name: str, changes: Changes) -> SettingList:
        await context.operator.configure(name, changes)
        return shown(name)

    return router
