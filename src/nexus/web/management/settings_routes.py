"""The plugins' configuration in the management API."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from nexus.manifest.config_field import ConfigField
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext


class Declaration(BaseModel):
    """What the manifest says of a setting; of a secret neither the default nor the choices."""

    type: str
    description: str
    expected: str = Field(description="What a value must be, in words.")
    default: Any
    enum: list[Any]
    min: int | float | None
    max: int | float | None
    pattern: str | None


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
    declaration: Declaration | None = Field(
        None, description="What the manifest says of it; None where it says nothing."
    )


class SettingList(BaseModel):
    """A plugin's settings, and the state that it is in with them."""

    items: list[SettingView]
    state: str
    reason: str


def _declaration(field: ConfigField | None) -> Declaration | None:
    if field is None:
        return None
    return Declaration(
        type=field.type,
        description=field.description,
        expected=field.expected,
        default=None if field.secret else field.default,
        enum=[] if field.secret else list(field.enum),
        min=field.min,
        max=field.max,
        pattern=field.pattern,
    )


Changes = Annotated[
    dict[str, Any],
    Body(
        description="Values by key; null removes the stored value. All are stored, or none.",
        examples=[{"max_retries": 5}],
    ),
]


def settings_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/plugins/{name}/config`."""
    router = APIRouter(
        prefix="/plugins/{name}/config",
        tags=["management: configuration"],
        route_class=closed_route(context.tokens),
    )

    def shown(name: str) -> SettingList:
        status = context.manager.controller(name).status
        fields = context.settings.fields(name)
        items = [
            SettingView(**asdict(entry), declaration=_declaration(fields.get(entry.key)))
            for entry in context.settings.entries(name)
        ]
        return SettingList(items=items, state=status.state, reason=status.reason)

    @router.get("", summary="Show the value and source of each setting")
    async def show(name: str) -> SettingList:
        return shown(name)

    @router.patch("", summary="Change settings; answers when the plugin has been judged anew")
    async def change(name: str, changes: Changes) -> SettingList:
        await context.operator.configure(name, changes)
        return shown(name)

    return router
