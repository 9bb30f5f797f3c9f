"""The messages of the feed."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

Level = Literal["info", "warning", "critical"]


class Message(BaseModel):
    """One message."""

    id: int = Field(description="Counts up; a later message has a greater one.")
    at: datetime
    level: Level
    title: str
    body: str
    source: str = Field(description="The plugin that it comes from.")
    read: bool = False
    event_id: str | None = Field(default=None, description="The event that it tells of.")


class MessageList(BaseModel):
    """Messages, the newest first."""

    items: list[Message]
    unread: int = Field(description="How many of all messages are unread.")


class Marked(BaseModel):
    """How many messages were marked as read."""

    marked: int


class Statistics(BaseModel):
    """How many messages there are."""

    kept: int
    unread: int
    by_level: dict[str, int]
    by_source: dict[str, int]
    received: dict[str, int] = Field(
        description="Events by name since this generation started, the muted ones as well."
    )
    streams: int = Field(description="How many clients follow the feed.")
