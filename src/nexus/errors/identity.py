"""Errors about who sends a request, and what they may do."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError


class NoIdentityProvider(NexusError):
    """Nothing runs that knows users, so nobody can be let in."""

    code = "no-identity-provider"

    def __init__(self, *, plugin: str) -> None:
        super().__init__(plugin=plugin)

    @override
    def render(self) -> str:
        return (
            "This address needs a user, and no identity provider is running: the plugin"
            f" {self.data['plugin']!r} is not there or does not serve. Add 'builtin: [auth]' to"
            " nexus.yaml, or name the plugin that knows users in security.identity."
        )


class SignInNeeded(NexusError):
    """A request that needs a user came without credentials."""

    code = "sign-in-needed"

    @override
    def render(self) -> str:
        return (
            "This address needs a user. Sign in, or send 'Authorization: Bearer <token>' or"
            " 'X-API-Key: <key>'."
        )


class CredentialsRefused(NexusError):
    """Credentials were sent, and they are not valid.

    It never says why: whoever tries credentials must not learn how far they got.
    """

    code = "credentials-refused"

    @override
    def render(self) -> str:
        return "The credentials are not valid, or not any longer. Sign in again."


class CrossSiteRefused(NexusError):
    """A request with a browser's session lacks the proof that the site's own page sent it."""

    code = "cross-site-refused"

    @override
    def render(self) -> str:
        return (
            "A request that may change something, with a session cookie, needs the session's"
            " token in the header 'X-CSRF-Token'; a WebSocket needs an Origin of this host."
        )


class UserMayNot(NexusError):
    """The user is known, and lacks a permission."""

    code = "user-may-not"

    def __init__(self, *, permission: str) -> None:
        super().__init__(permission=permission)

    @override
    def render(self) -> str:
        return (
            f"This needs the permission {self.data['permission']!r}, which none of your roles has."
        )


class RoutesNotDeclared(NexusError):
    """A plugin has routes that its manifest does not declare, and the application forbids it."""

    code = "routes-not-declared"

    def __init__(self, *, plugin: str, routes: Sequence[str]) -> None:
        super().__init__(plugin=plugin, routes=tuple(routes))

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} has routes that its manifest does not declare:"
            f" {', '.join(self.data['routes'])}. http.require_declared_auth is set, so each needs"
            ' an entry in "api_endpoints" in manifest.json, with "auth" where not everybody may.'
        )
