"""The stream itself: how it is made, whose it is, and what is told of it."""

import logging
from typing import Any, Final

from nexus.errors import EventJournalTaken
from nexus.events.engines.nats.connection import Connection

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 120.0
"""Seconds for which the server knows an event that is published again by its id."""
_OWNER: Final = "Nexus events of "


class Stream:
    """A JetStream stream that belongs to one application.

    Args:
        connection: The server.
        name: The name of the stream, which its subjects begin with.

    Attributes:
        name: As given.
        identity: What tells it from one that was made anew; known once it is taken.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._description = ""
        self.name = name
        self.identity = ""

    async def open(self, owner: str, *, take_over: bool = False) -> None:
        """Make it or take it, and know from now on whose it is.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
            EventJournalTaken: It is another application's.
        """
        self._description = f"{_OWNER}{owner}"
        await self.take(take_over=take_over)

    async def take(self, *, take_over: bool = False) -> str:
        """Make it or take it, and give what tells it from any other.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
            EventJournalTaken: It is another application's.
        """
        info = await self._make()
        is_ours = info.config.description == self._description
        if not (is_ours or take_over):
            raise EventJournalTaken(
                engine="nats", location=self._connection.location, stream=self.name
            )
        if not (is_ours and info.config.allow_direct):
            info.config.description = self._description
            info.config.allow_direct = True
            with self._connection.translated():
                js = self._connection.js
                info = await self._connection.asked(js.update_stream(info.config))
        self.identity = str(info.created)
        return self.identity

    async def _make(self) -> Any:
        connection, api = self._connection, self._connection.api
        with connection.translated():
            try:
                return await connection.asked(connection.js.stream_info(self.name))
            except connection.not_found:
                config = api.StreamConfig(
                    name=self.name,
                    description=self._description,
                    subjects=[f"{self.name}.>"],
                    retention=api.RetentionPolicy.LIMITS,
                    storage=api.StorageType.FILE,
                    discard=api.DiscardPolicy.NEW,
                    duplicate_window=_REMEMBERED,
                    allow_direct=True,
                )
                return await connection.asked(connection.js.add_stream(config))

    async def state(self) -> Any:
        """Give what the server tells of its messages."""
        with self._connection.translated():
            info = await self._connection.asked(self._connection.js.stream_info(self.name))
        return info.state
