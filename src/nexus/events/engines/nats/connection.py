"""The connection to NATS servers, and what their errors mean."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final, TypeVar

from nexus.config.event_engine import EventEngine
from nexus.errors import EventEngineDriverMissing, EventEngineUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECT: Final = 3.0
ANSWER: Final = 5.0
"""Seconds that the server has."""
_RECONNECT: Final = 0.2
_MOMENT: Final = 1.0
_PING: Final = 10
_SYNCS: Final = (2, 10)
"""From this version on the server can be told to sync what it acknowledges."""


class Connection:
    """One connection, made anew by itself where it is lost.

    Args:
        engine: Where the servers are.

    Raises:
        EventEngineDriverMissing: The library is not installed.
    """

    def __init__(self, engine: EventEngine) -> None:
        self._library = _library()
        self._engine = engine
        self._client: Any = None
        self._reason = "it is closed"
        self._is_back = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()
        self.js: Any = None

    @property
    def client(self) -> Any:
        """The client, if it is connected.

        Raises:
            EventEngineUnavailable: It is not.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise self.unavailable(self._reason)
        return client

    @property
    def not_found(self) -> type[Exception]:
        """What the library raises where something is not there."""
        error: type[Exception] = self._library.js.errors.NotFoundError
        return error

    async def unsubscribe(self, subscription: Any) -> None:
        """End a subscription, if the connection is still there."""
        try:
            await subscription.unsubscribe()
        except (self._library.errors.Error, OSError) as error:
            logger.debug("A subscription ended with NATS", extra={"reason": str(error)})

    @property
    def api(self) -> Any:
        """What the library has for configurations."""
        return self._library.js.api

    async def open(self) -> None:
        """Connect.

        Raises:
            EventEngineUnavailable: No server answers, or lets us in.
        """
        client = self._library.aio.client.Client()
        try:
            with self.translated():
                async with asyncio.timeout(_CONNECT):
                    await client.connect(
                        [each.strip() for each in self._engine.url.split(",")],
                        connect_timeout=_CONNECT,
                        max_reconnect_attempts=-1,
                        reconnect_time_wait=_RECONNECT,
                        ping_interval=_PING,
                        error_cb=self._note,
                        disconnected_cb=self._disconnected,
                        reconnected_cb=self._reconnected,
                        name="nexus",
                        skip_subject_validation=True,
                    )
        except EventEngineUnavailable:
            await _give_up(client)
            raise
        self._client = client
        self.js = client.jetstream(timeout=ANSWER)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await _give_up(client)

    async def _note(self, error: Exception) -> None:
        self._reason = str(error) or type(error).__name__
        logger.debug("NATS", extra={"reason": self._reason})

    async def _disconnected(self) -> None:
        self._reason = "the connection is lost"
        self._is_back.clear()
        for future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionResetError(self._reason))

    async def _reconnected(self) -> None:
        self._is_back.set()

    async def ready(self) -> Any:
        """Give the client; where the connection is lost, wait a moment for it to be back.

        Raises:
            EventEngineUnavailable: It is not back.
        """
        client = self._client
        if client is not None and not client.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT):
                    await self._is_back.wait()
        return self.client

    async def asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for what the server is asked, in vain over a lost connection.

        Raises:
            EventEngineUnavailable: There is no connection.
            ConnectionResetError: It was lost meanwhile.
        """
        try:
            await self.ready()
        except BaseException:
            work.close()
            raise
        loop = asyncio.get_running_loop()
        task, lost = loop.create_task(work, name="nexus.events.nats"), loop.create_future()
        self._waiting.add(lost)
        try:
            await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                lost.result()
            return await task
        finally:
            self._waiting.discard(lost)
            lost.cancel()
            task.cancel()

    async def answered(self, future: "asyncio.Future[None]") -> None:
        """Wait for something that the server sends; in vain over a lost connection.

        Raises:
            ConnectionResetError: The connection was lost.
            TimeoutError: It does not come.
        """
        self._waiting.add(future)
        try:
            async with asyncio.timeout(ANSWER):
                await future
        finally:
            self._waiting.discard(future)
            future.cancel()

    def unavailable(self, reason: str, *, passing: bool = True) -> EventEngineUnavailable:
        """Give the error for a server that cannot be worked with."""
        return EventEngineUnavailable(
            engine="nats", location=self._engine.location, reason=reason, passing=passing
        )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the library's errors into the platform's.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
        """
        task = asyncio.current_task()
        cancelled = 0 if task is None else task.cancelling()
        try:
            try:
                yield
            finally:
                # The library takes a cancellation for a time limit now and then.
                if task is not None and task.cancelling() > cancelled:
                    raise asyncio.CancelledError
        except self._library.js.errors.ServiceUnavailableError as error:
            raise self.unavailable("JetStream is not enabled, or not ready") from error
        except TimeoutError as error:
            raise self.unavailable(self._told() or "it does not answer in time") from error
        except (self._library.errors.Error, OSError) as error:
            raise self.unavailable(str(error) or type(error).__name__) from error

    def _told(self) -> str:
        """Give what the server said before it fell silent."""
        reason, self._reason = self._reason, "it does not answer"
        return "" if reason == "it is closed" else reason

    def risk(self) -> str:
        """Say what the server may lose that it has acknowledged; nothing where it can be synced."""
        version = self.client.connected_server_version
        if (version.major, version.minor) >= _SYNCS:
            return ""
        return (
            "In a power failure, NATS may lose events that it has acknowledged: version"
            f" {version.major}.{version.minor} syncs its files every two minutes. Expected 2.10 or"
            " later, with sync_interval: always in its jetstream block."
        )


async def _give_up(client: Any) -> None:
    try:
        await client.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody needs it any more
        logger.debug("A connection to NATS could not be closed", extra={"reason": str(error)})


def _library() -> ModuleType:
    try:
        import nats as library
        import nats.js.api
    except ImportError as error:
        raise EventEngineDriverMissing(engine="nats", library="nats-py") from error
    return library
