"""Durable subscriptions as operators write them: `plugin:pattern`."""

from typing import Annotated

from pydantic import Field

from nexus.errors import SubscriptionUnknown
from nexus.events.log import SubscriptionKey

SubscriptionName = Annotated[
    str,
    Field(
        pattern=r"^[^:]+:[^:]+$",
        max_length=400,
        description="A durable subscription, as `plugin:pattern`.",
        examples=["mailer:order.*"],
    ),
]


def key_of(name: str) -> SubscriptionKey:
    """Give the key that a valid name stands for.

    Raises:
        SubscriptionUnknown: It cannot be one.
    """
    plugin, colon, pattern = name.partition(":")
    if not (plugin and colon and pattern):
        raise SubscriptionUnknown(plugin=plugin, pattern=pattern)
    return SubscriptionKey(plugin, pattern)
