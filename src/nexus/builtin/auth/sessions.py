"""Browser sessions: an unguessable cookie, of which only a hash is stored."""

import hmac
import time
from typing import Any, Final

from nexus.builtin.auth.open_sign_ins import OpenSignIn, make_room, open_ones
from nexus.builtin.auth.secret_text import digest, new_secret
from nexus.errors import CrossSiteRefused
from nexus.plugins import BasePlugin

_NOTED_AT_LEAST: Final = 60.0
"""Seconds of use after which it is noted again, or a tenth of the idle time where that is less."""


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def begin(self, user: str) -> str:
        """Begin a session, and give the value of its cookie.

        It is always a new one: what a browser brought along may have been planted there.
        """
        secret = new_secret()
        lasts: int = await self._plugin.get_config("session_seconds")
        now = time.time()
        limit: int = await self._plugin.get_config("session_limit")
        document = {"_id": digest(secret), "user": user, "begun": now, "used": now}
        await self._all.insert({**document, "expires": now + lasts})
        await make_room(self._all, user, "session", limit, now)
        return secret

    async def user_of(self, secret: str) -> str | None:
        """Give the id of a session's user, None when it has ended; this counts as use."""
        document = await self._all.get(digest(secret))
        now = time.time()
        if document is None or document["expires"] <= now:
            return None
        idle = await self._idle()
        used = document.get("used") or now - idle / 5  # none: it is of an older version
        if used + idle <= now:
            return None
        if used + min(_NOTED_AT_LEAST, idle / 10) <= now:
            await self._all.update(document["_id"], {"used": now})
        user: str = document["user"]
        return user

    async def open(self, user: str) -> list[OpenSignIn]:
        """Give a user's sessions that neither their time nor disuse has ended."""
        now = time.time()
        since = now - await self._idle()
        found = await open_ones(self._all, user, "session", now)
        return [each for each in found if each.used is None or each.used > since]

    async def end_stored(self, stored: str) -> None:
        """End a session by its stored id."""
        await self._all.delete(stored)

    async def end(self, secret: str) -> None:
        """End a session."""
        await self._all.delete(digest(secret))

    async def end_all(self, user: str) -> None:
        """End every session of a user."""
        await self._all.delete({"user": user})

    async def _idle(self) -> int:
        idle: int = await self._plugin.get_config("session_idle_seconds")
        return idle

    @property
    def _all(self) -> Any:
        return self._plugin.db.collection("sessions")


def csrf_token(secret: str) -> str:
    """Give the token that goes with a session; other sites cannot know it, nor compute it."""
    return digest(f"csrf {secret}")


def check_csrf(secret: str, token: str | None) -> None:
    """Refuse a request without the session's token.

    Raises:
        CrossSiteRefused: It has none, or another one.
    """
    sent = (token or "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(csrf_token(secret).encode(), sent):
        raise CrossSiteRefused
