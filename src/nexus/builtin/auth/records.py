"""What the plugin puts on record, and in whose name."""

from dataclasses import dataclass
from typing import Any, Final

from nexus.plugins import BasePlugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks for something, as far as that is known.

    Attributes:
        username: The name of a user who has signed in; empty where nobody has.
        address: The network address of the request; empty where there is none.
    """

    username: str = ""
    address: str = ""


NOBODY: Final = Asker()
"""The plugin itself."""


async def record(
    plugin: BasePlugin,
    action: str,
    by: Asker,
    *,
    before: Any = None,
    after: Any = None,
    refused: bool = False,
) -> None:
    """Write into the audit log, in the transaction that is open.

    Args:
        plugin: The plugin.
        action: What was done.
        by: Who asked for it.
        before: What was, without secrets.
        after: What is now.
        refused: Whether it was refused.
    """
    await plugin.write_audit(
        action, before=before, after=after, user=by.username, address=by.address, refused=refused
    )
