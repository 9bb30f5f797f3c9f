"""The stream itself: how it is made, whose it is, and what is told of it."""

import logging
from typing import Any, Final

from nexus.errors import EventJournalTaken
from nexus.events.engines.nats.connection import Connection

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 120.0
"""Seconds for which the server knows an event that is published again by its id."""
_NAME_IN_USE: Final = 10058
_NEVER: Final = frozenset({10052, 10065, 10074})
"""Wrong settings, subjects that another stream has, and replicas without a cluster."""
_OWNER: Final = "Nexus events of "


class Stream:
    """A JetStream stream that belongs to one application.

    Args:
        connection: The server.
        name: The name of the stream, which its subjects begin with.
        replicas: How many servers of a cluster are to have it.

    Attributes:
        name: As given.
        identity: What tells it from one that was made anew; known once it is taken.
    """

    def __init__(self, connection: Connection, name: str, replicas: int) -> None:
        self._connection = connection
        self._replicas = replicas
        self._description = ""
        self._found = replicas
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
        if self._found != self._replicas:
            logger.warning(
                "The stream has another number of replicas than events.replicas says; it keeps"
                " those that it was made with",
                extra={"stream": self.name, "has": self._found, "expected": self._replicas},
            )

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
        self._found = info.config.num_replicas or 1
        self.identity = str(info.created)
        return self.identity

    async def _make(self) -> Any:
        connection = self._connection
        with connection.translated():
            try:
                return await self._ask()
            except connection.not_found:
                try:
                    return await connection.asked(connection.js.add_stream(self._config()))
                except connection.refused as error:
                    told: Any = error
                    if told.err_code == _NAME_IN_USE:  # somebody else was quicker
                        return await self._ask()
                    if told.err_code in _NEVER:
                        reason = f"the stream {self.name!r} cannot be made: {told.description}"
                        raise connection.unavailable(reason, passing=False) from error
                    raise

    async def _ask(self) -> Any:
        return await self._connection.asked(self._connection.js.stream_info(self.name))

    def _config(self) -> Any:
        api = self._connection.api
        return api.StreamConfig(
            name=self.name,
            description=self._description,
            subjects=[f"{self.name}.>"],
            retention=api.RetentionPolicy.LIMITS,
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.NEW,
            duplicate_window=_REMEMBERED,
            num_replicas=self._replicas,
            allow_direct=True,
        )

    async def state(self) -> Any:
        """Give what the server tells of its messages."""
        with self._connection.translated():
            info = await self._ask()
        return info.state
