"""What a server can send as the start of a response.

A server that is handed anything else fails when the response counts as started, so that nobody
can answer 500 any longer.
"""

import re
from collections.abc import Iterable

from nexus.web.security_headers import RawHeader

_LOWEST, _HIGHEST = 100, 599
_NOT_IN_NAMES = re.compile(rb'[\x00-\x1f\x7f()<>@,;:\[\]={} \t\\"]')
_NOT_IN_VALUES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_KNOWN = frozenset(
    {b"content-length", b"content-type", b"application/json", b"text/plain; charset=utf-8"}
)
"""What nearly every response has; finding it here is faster than looking through it."""


class UnsendableResponse(ValueError):
    """A response has a status or header that HTTP does not know; a defect of who made it."""


def check_start(status: int, headers: Iterable[RawHeader]) -> None:
    """Refuse a status outside 100 to 599, and control characters in headers.

    Raises:
        UnsendableResponse: Saying what is wrong, without a header's value.
    """
    if not _LOWEST <= status <= _HIGHEST:
        message = f"{status!r} is no HTTP status; expected one from {_LOWEST} to {_HIGHEST}."
        raise UnsendableResponse(message)
    for name, value in headers:
        if (name in _KNOWN or not _NOT_IN_NAMES.search(name)) and (
            value in _KNOWN or value.isdigit() or not _NOT_IN_VALUES.search(value)
        ):
            continue
        message = (
            f"The response header {name!r} has a character that no header may have, such as a"
            " line break. Encode the value, for instance with urllib.parse.quote."
        )
        raise UnsendableResponse(message)
