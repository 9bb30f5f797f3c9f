"""The plugin that knows users."""

import time
from typing import Any

from fastapi import APIRouter
from typing_extensions import override

from nexus.builtin.auth.extra import require_extra
from nexus.plugins import BasePlugin, every
from nexus.security import IDENTITY_SERVICE

require_extra()

from nexus.builtin.auth.admin_routes import admin_router  # noqa: E402 - after what they need
from nexus.builtin.auth.identity import Identity  # noqa: E402
from nexus.builtin.auth.own_routes import own_router  # noqa: E402
from nexus.builtin.auth.parts import AuthParts  # noqa: E402
from nexus.builtin.auth.roles import INITIAL_ROLES  # noqa: E402
from nexus.builtin.auth.sign_in_routes import sign_in_router  # noqa: E402


class AuthPlugin(BasePlugin):
    """Users, roles, passwords, sessions, tokens and API keys."""

    @override
    def __init__(self) -> None:
        super().__init__()
        self.parts = AuthParts.of(self)

    @override
    async def initialize(self) -> bool:
        await self.parts.passwords.prepare()
        await self.parts.keys.prepare()
        self.register_service(IDENTITY_SERVICE, Identity(self.parts))
        self.register_service("auth.deliveries", self.parts.deliveries)
        if not await self.parts.accounts.has_administrator():
            self.logger.warning(
                "There is no administrator yet; 'nexus auth setup' says how to go on"
            )
        return True

    @override
    def get_api_routes(self) -> list[APIRouter]:
        return [sign_in_router(self.parts), own_router(self.parts), admin_router(self.parts)]

    @override
    def get_database_schema(self) -> dict[str, Any]:
        return {
            "collections": {
                "users": {"indexes": [{"field": "name", "unique": True}, {"field": "email"}]},
                "roles": {},
                "groups": {},
                "sessions": {"indexes": [{"field": "user"}, {"field": "expires"}]},
                "families": {"indexes": [{"field": "user"}, {"field": "expires"}]},
                "api_keys": {"indexes": [{"field": "user"}, {"field": "expires"}]},
                "deliveries": {"indexes": [{"field": "user"}, {"field": "expires"}]},
                "attempts": {"indexes": [{"field": "expires"}]},
                "marks": {},
            },
            "initial_data": {"roles": INITIAL_ROLES},
        }

    @every("1h")
    async def tidy(self) -> None:
        """Remove what has expired, and replace the signing key when it has had its time."""
        now = time.time()
        for name in ("sessions", "families", "api_keys", "deliveries", "attempts"):
            await self.db.collection(name).delete({"expires": {"$lte": now}})
        await self.parts.keys.rotate_if_due()
