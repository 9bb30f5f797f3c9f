"""How often somebody may try: counted in the database, so that all workers count together."""

import time
from typing import Any, Final

from fastapi import HTTPException

from nexus.builtin.auth.secret_text import digest
from nexus.errors import DuplicateKey, VersionConflict
from nexus.plugins import BasePlugin

_TRIES: Final = 20


class TooManyAttempts(HTTPException):
    """Somebody has tried too often."""

    def __init__(self, seconds: int) -> None:
        detail = f"Too many attempts. Try again in {seconds} seconds."
        super().__init__(429, detail, headers={"Retry-After": str(seconds)})


class Throttle:
    """Counts attempts, each before it is made, so that many at once do not slip through."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    async def take(self, kind: str, subject: str, limit: int, seconds: float) -> int:
        """Count an attempt.

        Args:
            kind: What is counted, such as `name`.
            subject: Whose attempts.
            limit: How many there may be.
            seconds: How long attempts count, from the first one on.

        Returns:
            How many there have been, with this one.

        Raises:
            TooManyAttempts: There have been as many as may be.
        """
        id_ = _id(kind, subject)
        for _ in range(_TRIES):
            now = time.time()
            known = await self._attempts.get(id_)
            try:
                if known is None:
                    await self._attempts.insert({"_id": id_, "count": 1, "expires": now + seconds})
                    return 1
                count, expires = known["count"], known["expires"]
                if expires <= now:
                    count, expires = 0, now + seconds
                if count >= limit:
                    raise TooManyAttempts(max(1, int(expires - now)))
                changes = {"count": count + 1, "expires": expires}
                await self._attempts.update(id_, changes, expected_version=known["_version"])
            except (DuplicateKey, VersionConflict):
                continue
            return int(count + 1)
        raise TooManyAttempts(1)

    async def forget(self, kind: str, subject: str) -> None:
        """Count no attempts of a subject, since one has succeeded."""
        await self._attempts.delete(_id(kind, subject))

    @property
    def _attempts(self) -> Any:
        return self._plugin.db.collection("attempts")


def _id(kind: str, subject: str) -> str:
    return digest(f"{kind} {subject}")
