"""Tells whether the messages of a stream are still where they were."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nexus.events.durable.halving import first_position
from nexus.events.durable.landmarks import Landmark
from nexus.events.engines.nats.connection import ANSWER, Connection
from nexus.events.engines.nats.messages import event_of
from nexus.events.engines.nats.stream import Stream

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NatsLandmarks:
    """`Landmarks` of a JetStream stream.

    When a message was stored is told in microseconds of the server's clock.

    Args:
        connection: The server.
        stream: The stream.
    """

    def __init__(self, connection: Connection, stream: Stream) -> None:
        self._connection = connection
        self._stream = stream
        self._is_trusted = asyncio.Event()
        self._is_trusted.set()
        self.identify = stream.take
        self.trust = self._is_trusted.set

    def when_interrupted(self, callback: Callable[[], None]) -> None:
        """Have a function called when the connection is lost, and nothing put in before `trust`."""

        def interrupted() -> None:
            self._is_trusted.clear()
            callback()

        self._connection.when_interrupted(interrupted)

    async def trusted(self) -> None:
        """Wait until nothing is held back.

        Raises:
            EventEngineUnavailable: That takes too long.
        """
        if self._is_trusted.is_set():
            return
        await self._connection.ready()  # or it says why not
        try:
            async with asyncio.timeout(ANSWER):
                await self._is_trusted.wait()
        except TimeoutError:
            reason = "it was away, and what it has is still being looked at"
            raise self._connection.unavailable(reason) from None

    async def at(self, position: int) -> Landmark | None:
        """Give what is at a position; None where nothing is."""
        return await self._get(seq=position) if position > 0 else None

    async def after(self, landmark: Landmark) -> int:
        """Give a position such that all that was stored after a landmark is there or behind it."""
        state = await self._stream.state()
        if not state.messages:
            return int(state.last_seq) + 1
        return await first_position(
            self._first, int(state.last_seq), lambda found: found.stored > landmark.stored
        )

    async def _first(self, position: int) -> Landmark | None:
        return await self._get(seq=max(position, 1), subject=f"{self._stream.name}.>", next=True)

    async def _get(self, **wanted: Any) -> Landmark | None:
        connection = self._connection
        with connection.translated():
            try:  # the leader is asked, which knows best
                found = await connection.asked(connection.js.get_msg(self._stream.name, **wanted))
            except connection.not_found:
                return None
        event = event_of(found.seq, found.data)
        return Landmark(
            position=found.seq,
            id="" if event is None else event.id,
            stored=(found.time - _EPOCH) // timedelta(microseconds=1),
        )
