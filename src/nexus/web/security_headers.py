"""The headers that every response carries."""

from collections.abc import Iterable

RawHeader = tuple[bytes, bytes]

_ALWAYS: tuple[RawHeader, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"DENY"),
)
# Nothing that a browser would load belongs to a JSON document. What a page may load only its
# author knows, so other documents get no policy from us.
_JSON_ONLY: tuple[RawHeader, ...] = (
    *_ALWAYS,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_REQUEST_ID = b"x-request-id"
_OURS = frozenset({name for name, _ in _JSON_ONLY} | {_REQUEST_ID})
_JSON_TYPES = (b"application/json", b"application/problem+json")


def response_headers(headers: Iterable[RawHeader], request_id: str) -> list[RawHeader]:
    """Add the request id and the security headers, leaving alone what the response has set."""
    ours = _ALWAYS
    own: set[bytes] | None = None
    for name, value in headers:
        if name == b"content-type":
            if value.startswith(_JSON_TYPES):
                ours = _JSON_ONLY
        elif name in _OURS:
            own = own or set()
            own.add(name)
    if own is None:
        return [*headers, (_REQUEST_ID, request_id.encode()), *ours]
    added = ((_REQUEST_ID, request_id.encode()), *ours)
    return [*headers, *(pair for pair in added if pair[0] not in own)]
