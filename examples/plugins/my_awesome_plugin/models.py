"""The bodies of requests and answers."""

from typing import Any

from pydantic import BaseModel, Field


class ActionRequest(BaseModel):
    """What to do."""

    action: str = Field(
        description="ping, echo, count, sign, pause or resume", examples=["ping", "echo"]
    )
    parameters: dict[str, Any] = Field(default_factory=dict, examples=[{}, {"message": "Hello"}])


class ActionResponse(BaseModel):
    """What came of it."""

    success: bool
    message: str
    result: dict[str, Any] | None = None


class Status(BaseModel):
    """The plugin and its figures."""

    plugin: str
    version: str
    initialized: bool
    enabled: bool
    action_count: int
    last_action: dict[str, Any] | None
    users_welcomed: int
    uptime: float = Field(description="Seconds since this generation of the plugin went live.")
