"""What tells durable subscriptions apart."""

from typing import NamedTuple

from typing_extensions import override


class SubscriptionKey(NamedTuple):
    """A durable subscription: a plugin and a pattern that its manifest declares.

    Attributes:
        plugin: The plugin's name.
        pattern: The pattern, as declared.
    """

    plugin: str
    pattern: str

    @override
    def __str__(self) -> str:
        return f"{self.plugin}:{self.pattern}"
