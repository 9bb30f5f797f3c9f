"""The ids of documents: those that are given, and those that are made."""

import os
import threading
import time
from typing import Any, Final

from nexus.errors import InvalidDocumentId

MAX_ID: Final = 128
"""Characters of the longest id."""

_RANDOM_BYTES: Final = 8


class _Ids:
    """Makes ids of 12 hexadecimal digits for the millisecond and 16 that are drawn or counted on.

    Drawn anew at each millisecond, and counted on within it, they ascend within a process, and
    those of two processes meet as good as never.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def forget(self) -> None:
        """Draw anew, as the child of a process must, and with a lock that nobody holds."""
        self.__init__()  # type: ignore[misc]  # the whole of it

    def make(self) -> str:
        """Give an id greater than all before."""
        now = time.time_ns() // 1_000_000 << 64
        with self._lock:
            if now > self._last:
                # Half of the numbers stay free for counting on.
                now |= int.from_bytes(os.urandom(_RANDOM_BYTES)) >> 1
            self._last = max(now, self._last + 1)
            return f"{self._last:028x}"


_ids = _Ids()
os.register_at_fork(after_in_child=_ids.forget)

make_id = _ids.make
"""Gives a new id; ids ascend with time, and strictly so within a process."""


def check_id(value: Any) -> str:
    """Give an id back that can be one.

    Raises:
        InvalidDocumentId: It is not a str of 1 to 128 characters without NUL and surrogates.
    """
    if type(value) is not str or not 0 < len(value) <= MAX_ID or "\0" in value:
        raise InvalidDocumentId(id=value, limit=MAX_ID)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidDocumentId(id=value, limit=MAX_ID) from None
    return value
