"""The headers that every response carries."""

from collections.abc import Iterable
from typing import Final

RawHeader = tuple[bytes, bytes]

PAGE_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
"""What a page may load unless it says otherwise: what comes from here, and no inline code."""

TRANSPORT_SECURITY: Final = "max-age=31536000"
"""For how long a browser that was here over TLS is to use nothing else: a year."""

# Nothing that a browser would load belongs to a JSON document.
_JSON_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
_ALWAYS: Final[tuple[RawHeader, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"DENY"),
)
_REQUEST_ID: Final = b"x-request-id"
_CACHE: Final = b"cache-control"
_POLICY: Final = b"content-security-policy"
_TRANSPORT: Final = b"strict-transport-security"
_STANDS_FOR: Final = {
    **{name: name for name, _ in _ALWAYS},
    **{name: name for name in (_REQUEST_ID, _CACHE, _POLICY, _TRANSPORT)},
    # A response that can be asked after again is meant to be kept.
    b"etag": _CACHE,
    b"last-modified": _CACHE,
    b"expires": _CACHE,
}
"""By the name of a header that a response may have set, the one that is left to it then."""
_JSON_TYPES: Final = (b"application/json", b"application/problem+json")


class SecurityHeaders:
    """What is added to the responses of one scheme, put together before the first of them.

    Args:
        content_security_policy: The policy of all that is not JSON; none when empty.
        transport_security: The value of Strict-Transport-Security; none when empty.
    """

    __slots__ = ("_json", "_other")

    def __init__(
        self, content_security_policy: str = PAGE_POLICY, transport_security: str = ""
    ) -> None:
        always = _ALWAYS
        if transport_security:
            always = (*always, (_TRANSPORT, transport_security.encode("latin-1")))
        self._json: tuple[RawHeader, ...] = (
            *always,
            (_POLICY, _JSON_POLICY),
            (_CACHE, b"no-store"),
        )
        self._other = always
        if content_security_policy:
            self._other = (*always, (_POLICY, content_security_policy.encode("latin-1")))

    def added_to(self, headers: Iterable[RawHeader], request_id: str) -> list[RawHeader]:
        """Add the request id and the security headers, leaving alone what the response has set."""
        ours = self._other
        own: set[bytes] | None = None
        for name, value in headers:
            if name == b"content-type":
                if value.startswith(_JSON_TYPES):
                    ours = self._json
            elif name in _STANDS_FOR:
                own = own or set()
                own.add(_STANDS_FOR[name])
        if own is None:
            return [*headers, (_REQUEST_ID, request_id.encode()), *ours]
        added = ((_REQUEST_ID, request_id.encode()), *ours)
        return [*headers, *(pair for pair in added if pair[0] not in own)]
