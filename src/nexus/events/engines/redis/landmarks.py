"""Whose a stream is, and whether its entries are still where they were."""

import uuid
from collections.abc import Callable
from typing import Any

from nexus.errors import EventJournalTaken
from nexus.events.durable.landmarks import Landmark
from nexus.events.engines.redis.connection import Connection
from nexus.events.engines.redis.entries import is_event
from nexus.events.engines.redis.scripts import OPEN


class RedisLandmarks:
    """`Landmarks` of a Redis stream.

    A position is a time of the server's clock, so it is never given twice, and tells when its entry
    was stored.

    Args:
        connection: The server.
        name: What the keys begin with.
        keys: The stream, and the hash that tells about it.

    Attributes:
        identity: What tells the stream from one that was made anew; known once it is taken.
    """

    def __init__(self, connection: Connection, name: str, keys: tuple[str, str]) -> None:
        self._connection = connection
        self._name = name
        self._keys = keys
        self._owner = ""
        self.identity = ""

    async def open(self, owner: str, *, take_over: bool) -> None:
        """Make the stream or take it, and know from now on whose it is.

        Raises:
            EventJournalTaken: It is another application's.
        """
        self._owner = owner
        await self._take(take_over=take_over)

    async def identify(self) -> str:
        """Give what tells the stream from any other; make it if it is gone."""
        return await self._take(take_over=False)

    async def _take(self, *, take_over: bool) -> str:
        with self._connection.translated():
            found, identity = await self._connection().eval(
                OPEN, 2, *self._keys, self._owner, str(uuid.uuid4()), int(take_over)
            )
        if found.decode() != self._owner:
            raise EventJournalTaken(
                engine="redis", location=self._connection.location, stream=self._name
            )
        self.identity = identity.decode()
        return self.identity

    async def at(self, position: int) -> Landmark | None:
        """Give what is at a position; None where nothing is."""
        with self._connection.translated():
            entries: Any = await self._connection().xrange(
                self._keys[0], f"{position}-0", f"{position}-0"
            )
        if not entries or not is_event(entries[0]):
            return None
        return Landmark(position=position, id=entries[0][1][b"id"].decode(), stored=position)

    async def after(self, landmark: Landmark) -> int:
        """Give a position such that all that was stored after a landmark is there or behind it."""
        return landmark.stored + 1

    def when_interrupted(self, callback: Callable[[], None]) -> None:
        """Do nothing: no cursor is ever ahead of what is stored next."""

    def trust(self) -> None:
        """Do nothing: nothing was held back."""
