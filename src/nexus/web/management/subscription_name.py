"""Subscriptions as operators write them: `plugin:pattern`."""

from typing import Annotated

from fastapi import HTTPException
from pydantic import Field

from nexus.events.log import SubscriptionKey
from nexus.web.management.event_views import is_plain

SubscriptionName = Annotated[
    str,
    Field(
        description="The plugin that subscribed and its pattern, as `plugin:pattern`.",
        examples=["mailer:order.*"],
    ),
]


def key_of(name: str) -> SubscriptionKey:
    """Give what a name stands for.

    Raises:
        HTTPException: It is no such name.
    """
    plugin, _, pattern = name.partition(":")
    if not (plugin and pattern and is_plain(name)):
        message = (
            f"{name!r} names no subscription. Expected PLUGIN:PATTERN, such as 'mailer:order.*'."
        )
        raise HTTPException(422, message)
    return SubscriptionKey(plugin, pattern)
