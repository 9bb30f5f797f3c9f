"""Whether anybody can sign in as a user yet."""

from typing import Final

from nexus.plugins.caller import Caller

_SETUP: Final = "/plugins/auth/setup"


async def is_set_up(caller: Caller) -> bool:
    """Tell whether there is an administrator; nothing is missing where no users are known."""
    answer = await caller.get(_SETUP)
    return not answer.is_success or bool(answer.json()["done"])
