"""Tells whether the messages of a stream are still where they were."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nexus.events.durable.halving import first_position
from nexus.events.durable.landmarks import Landmark
from nexus.events.engines.nats.connection import Connection
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
        self.identify = stream.take
        self.when_interrupted = connection.when_interrupted

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
