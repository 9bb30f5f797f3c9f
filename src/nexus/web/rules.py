"""What an application holds its requests to."""

from dataclasses import dataclass

from nexus.web.security_headers import PAGE_POLICY, TRANSPORT_SECURITY


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossOrigin:
    """What pages of other origins may ask for (CORS).

    Attributes:
        origins: The origins, or `*` for all.
        methods: The methods.
        headers: The headers that a request may have beside the usual ones.
        credentials: Whether a browser may send cookies along.
        max_age: For how many seconds a browser need not ask again.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    credentials: bool = False
    max_age: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRules:
    """What every request and response is held to.

    Attributes:
        body_limit: The greatest size of a request's body in bytes, None for any.
        body_timeout: How many seconds a body may take, see `nexus.web.request_body`; None for any.
        allowed_hosts: The hosts that are answered for; all when empty.
        content_security_policy: The policy of what is not JSON and has none itself.
        transport_security: The value of Strict-Transport-Security where a request came over TLS.
        cross_origin: What pages of other origins may do; nothing when None.
    """

    body_limit: int | None = None
    body_timeout: float | None = None
    allowed_hosts: tuple[str, ...] = ()
    content_security_policy: str = PAGE_POLICY
    transport_security: str = TRANSPORT_SECURITY
    cross_origin: CrossOrigin | None = None
