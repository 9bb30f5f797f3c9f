"""Waiting for mailboxes to have nothing to do."""

import asyncio
from collections.abc import Callable, Sequence

from nexus.events.mailbox import Mailbox


async def all_quiet(mailboxes: Callable[[], Sequence[Mailbox]], seconds: float | None) -> bool:
    """Wait until all mailboxes are quiet at the same time; one may fill another.

    Args:
        mailboxes: Gives the mailboxes, which may change meanwhile.
        seconds: How long to wait; None waits for as long as it takes.

    Returns:
        Whether they are quiet.
    """
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while busy := [mailbox for mailbox in mailboxes() if not mailbox.quiet]:
        left = None if end is None else end - loop.time()
        if left is not None and left <= 0:
            return False
        await asyncio.wait([mailbox.when_quiet() for mailbox in busy], timeout=left)
    return True
