"""What the plugin is made of."""

from dataclasses import dataclass
from typing import Self

from nexus.builtin.auth.access_tokens import AccessTokens
from nexus.builtin.auth.accounts import Accounts
from nexus.builtin.auth.api_keys import ApiKeys
from nexus.builtin.auth.deliveries import Deliveries
from nexus.builtin.auth.passwords import Passwords
from nexus.builtin.auth.refresh_tokens import RefreshTokens
from nexus.builtin.auth.roles import Roles
from nexus.builtin.auth.sessions import Sessions
from nexus.builtin.auth.sign_in import SignIn
from nexus.builtin.auth.signing_keys import SigningKeys
from nexus.builtin.auth.throttle import Throttle
from nexus.plugins import BasePlugin


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthParts:
    """The parts, each a concept of its own module.

    Attributes:
        plugin: The plugin itself: its data, settings and events.
        passwords: Makes and verifies password hashes.
        throttle: Counts attempts.
        roles: Say what users may do.
        sessions: Browser sessions.
        refresh: Refresh tokens.
        keys: The keys that sign access tokens.
        access: Access tokens.
        accounts: Users.
        api_keys: API keys.
        deliveries: Tokens that another plugin brings to a user.
        sign_in: Holds names and passwords against users.
    """

    plugin: BasePlugin
    passwords: Passwords
    throttle: Throttle
    roles: Roles
    sessions: Sessions
    refresh: RefreshTokens
    keys: SigningKeys
    access: AccessTokens
    accounts: Accounts
    api_keys: ApiKeys
    deliveries: Deliveries
    sign_in: SignIn

    @classmethod
    def of(cls, plugin: BasePlugin) -> Self:
        """Make the parts of a plugin."""
        passwords, throttle = Passwords(), Throttle(plugin)
        roles, sessions, refresh = Roles(plugin), Sessions(plugin), RefreshTokens(plugin)
        accounts = Accounts(plugin, passwords, sessions, refresh, roles)
        keys = SigningKeys(plugin)
        return cls(
            plugin=plugin,
            passwords=passwords,
            throttle=throttle,
            roles=roles,
            sessions=sessions,
            refresh=refresh,
            keys=keys,
            access=AccessTokens(plugin, keys),
            accounts=accounts,
            api_keys=ApiKeys(plugin, accounts),
            deliveries=Deliveries(plugin),
            sign_in=SignIn(plugin, accounts, passwords, throttle),
        )
