"""The request whose work is being done.

Log lines, events and problem documents that come about while a request is served carry its id, so
that one identifier finds all of them.
"""

import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count

current_request_id: ContextVar[str | None] = ContextVar("nexus_request_id", default=None)
"""The id of the request that is being served, None outside of requests."""

_is_sane = re.compile(rb"[A-Za-z0-9._~:+/=@-]{1,128}").fullmatch


def accept_request_id(value: bytes) -> str | None:
    """Give a caller's id as text, or None when it is not fit for a log line or a header."""
    return value.decode("ascii") if _is_sane(value) else None


def _new_ids() -> Callable[[], str]:
    # An id is unique, not secret: random once a process, then counted, which is much cheaper.
    prefix = os.urandom(8).hex()
    numbers = count(1)

    def new_request_id() -> str:
        return f"{prefix}-{next(numbers):x}"

    return new_request_id


new_request_id = _new_ids()
"""Make an id that no other request of any process has."""

if hasattr(os, "register_at_fork"):

    def _renew() -> None:
        global new_request_id  # noqa: PLW0603  # a forked child must not repeat its parent's ids
        new_request_id = _new_ids()

    os.register_at_fork(after_in_child=_renew)
