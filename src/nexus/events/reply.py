"""Waiting for the answer to a question."""

import asyncio
from typing import Any

from nexus.errors import RequestFailed, RequestTimeout
from nexus.events.ask import Ask
from nexus.events.mailbox import Mailbox


async def reply_to(ask: Ask, mailbox: Mailbox, seconds: float) -> Any:
    """Put a question into its provider's mailbox and wait for the reply.

    Raises:
        RequestTimeout: If there is no reply in time, be it that the mailbox stays full.
        RequestFailed: If the handler raised, or its reply is not JSON.
    """
    mailbox.asks += 1
    mailbox.attention = True
    waiting = None if mailbox.put(ask) else mailbox.stand_in_line(ask)
    try:
        async with asyncio.timeout(seconds):
            answer = await ask.reply
    except TimeoutError:
        raise RequestTimeout(name=ask.name, owner=mailbox.owner, timeout=seconds) from None
    finally:
        ask.reply.cancel()
        if waiting is not None and waiting.mailbox.withdraw(waiting):
            waiting.mailbox.asks -= 1
            waiting.mailbox.notice()
    if answer.failure is not None:
        raise RequestFailed(name=ask.name, owner=mailbox.owner, reason=answer.failure)
    return answer.value
