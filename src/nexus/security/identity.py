"""What the platform asks of the plugin that knows users."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from nexus.security.user import User

IDENTITY_SERVICE: Final = "nexus.identity"
"""The name under which the plugin of `security.identity` offers its `IdentityProvider`."""

SESSION_COOKIES: Final = ("__Host-nexus_session", "nexus_session")
"""The cookies that may carry a browser's session; the first over https."""

CSRF_HEADER: Final = "x-csrf-token"
"""The header by which a page of the site proves that a request with a session is its own."""

API_KEY_HEADER: Final = "x-api-key"
"""The header that carries an API key."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that change nothing, as HTTP defines them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a request brought along to say who sends it.

    Attributes:
        bearer: The token in `Authorization: Bearer`.
        api_key: The value of `X-API-Key`.
        session: The value of the session cookie.
        csrf: The value of `X-CSRF-Token`.
        changes: Whether the request may change something.
        own_page: Whether the Origin is this host; None where the request has no Origin.
    """

    bearer: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)
    csrf: str | None = field(default=None, repr=False)
    changes: bool = False
    own_page: bool | None = None

    @property
    def are_explicit(self) -> bool:
        """Whether the client chose to send them, rather than a browser by itself."""
        return self.bearer is not None or self.api_key is not None

    def __bool__(self) -> bool:
        return self.are_explicit or self.session is not None


class IdentityProvider(Protocol):
    """Knows users; a plugin offers it as the service `IDENTITY_SERVICE`."""

    async def identify(self, credentials: Credentials) -> User | None:
        """Say whose credentials these are.

        Returns:
            The user; None for a session that has ended, which a browser sends all the same.

        Raises:
            CredentialsRefused: A token or key is not valid.
            CrossSiteRefused: A session came without the proof that the site's own page sent it.
        """
