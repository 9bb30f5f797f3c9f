"""The connection to NATS servers, and what their errors mean."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import Context
from types import ModuleType
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from nexus.config.event_engine import EventEngine
from nexus.errors import EventEngineDriverMissing, EventEngineUnavailable
from nexus.events.durable.ending import end

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECT: Final = 3.0
ANSWER: Final = 5.0
"""Seconds that the server has."""
_RECONNECT: Final = 0.1
_LONGEST: Final = 1.0
_MOMENT: Final = 1.0
_PING: Final = 10
_GLANCE: Final = 0.1
_CLOSED: Final = "it is closed"
_REFUSAL: Final = "authorization violation"
_SYNCS: Final = (2, 10)
"""From this version on the server can be told to sync what it acknowledges."""


Heard: TypeAlias = Callable[[Any], Awaitable[None]]


class Connection:
    """One connection, made anew by itself where it is lost, with what is listened to.

    Args:
        engine: Where the servers are.

    Attributes:
        location: Where the servers are, for people.
        js: JetStream, for what is to be asked now.
        max_payload: How many bytes a message may have, as the server said last; 0 before that.

    Raises:
        EventEngineDriverMissing: The library is not installed.
    """

    def __init__(self, engine: EventEngine) -> None:
        self._library = _library()
        self._engine = engine
        self._client: Any = None
        self._reason = _CLOSED
        self._is_open = False
        self._is_back = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()
        self._heard: dict[str, Heard] = {}
        self._subscriptions: dict[str, Any] = {}
        self._discovered: set[str] = set()
        self._lost: Any = None
        self._watching: asyncio.Task[None] | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._interrupted: list[Callable[[], None]] = []
        self.location = engine.location
        self.js: Any = None
        self.max_payload = 0

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

    @property
    def refused(self) -> type[Exception]:
        """What the library raises where the server does not do what it is asked."""
        error: type[Exception] = self._library.js.errors.APIError
        return error

    @property
    def api(self) -> Any:
        """What the library has for configurations."""
        return self._library.js.api

    def when_interrupted(self, callback: Callable[[], None]) -> None:
        """Have a function called when the connection is lost."""
        self._interrupted.append(callback)

    # Being connected

    async def open(self) -> None:
        """Connect.

        Raises:
            EventEngineUnavailable: No server answers, or lets us in.
        """
        await self._connect()
        self._is_open = True
        self._watching = asyncio.get_running_loop().create_task(
            self._watch(), name="nexus.events.connection", context=Context()
        )

    async def _connect(self) -> None:
        client = self._library.aio.client.Client()
        urls = [each.strip() for each in self._engine.url.split(",")]
        try:
            with self.translated():
                async with asyncio.timeout(_CONNECT):
                    await client.connect(
                        [*urls, *self._discovered.difference(urls)],
                        **_credentials(urls),
                        connect_timeout=_CONNECT,
                        # The library closes a connection for good at almost any error of the
                        # server, and leaves sockets open where it does make one again.
                        allow_reconnect=False,
                        reconnect_time_wait=_RECONNECT,
                        ping_interval=_PING,
                        error_cb=self._note,
                        closed_cb=self._closed,
                        name="nexus",
                        skip_subject_validation=True,
                    )
                    for subject, heard in self._heard.items():
                        self._subscriptions[subject] = await client.subscribe(subject, cb=heard)
        except BaseException:
            await _give_up(client)
            raise
        self._client = client
        self._discovered |= {each.geturl() for each in client.discovered_servers}
        self.js = client.jetstream(timeout=ANSWER)
        self.max_payload = client.max_payload
        self._reason = _CLOSED
        self._is_back.set()

    async def close(self) -> None:
        """Close the connection."""
        self._is_open = False
        tasks = [each for each in (self._watching, self._reopening) if each is not None]
        await end(tasks)
        if self._lost is not None:
            await _give_up(self._lost)
        self._heard.clear()
        self._subscriptions.clear()
        client, self._client = self._client, None
        if client is not None:
            await _give_up(client)

    def _reopen(self) -> None:
        """Make a new client until one is let in."""
        if self._is_open and self._reopening is None:
            self._reopening = asyncio.get_running_loop().create_task(
                self._reopen_until_it_works(), name="nexus.events.reconnect", context=Context()
            )

    async def _reopen_until_it_works(self) -> None:
        pause = _RECONNECT
        try:
            while True:
                try:
                    await self._connect()
                except EventEngineUnavailable as error:
                    self._reason = str(error.data["reason"])
                    logger.debug("NATS", extra={"reason": self._reason})
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST)
                else:
                    await _give_up(self._lost)
                    logger.info("The connection to NATS was made anew")
                    return
        finally:
            self._reopening = None

    async def _note(self, error: Exception) -> None:
        self._reason = str(error) or type(error).__name__
        logger.debug("NATS", extra={"reason": self._reason})

    async def _closed(self) -> None:
        if self._client is not None and self._client.is_closed:
            self._lose(self._client)

    async def _watch(self) -> None:
        """Notice what `_closed` is not told: the library's own end may fail halfway."""
        while True:
            await asyncio.sleep(_GLANCE)
            await self._closed()

    def _lose(self, client: Any) -> None:
        """Go on with another client; whoever waits for an answer waits in vain."""
        if not self._is_open or client is self._lost:
            return
        self._lost = client
        if self._reason == _CLOSED:
            self._reason = "the connection is lost"
        self._is_back.clear()
        for future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionResetError(self._reason))
        for callback in self._interrupted:
            callback()
        self._reopen()

    # Being told

    async def answers_to(self, heard: Heard) -> str:
        """Have a function called with answers; give the inbox that they go to, two levels deep.

        Raises:
            EventEngineUnavailable: There is no connection.
        """
        inbox: str = self.client.new_inbox()
        await self._subscribe(f"{inbox}.*.*", heard)
        return inbox

    @asynccontextmanager
    async def subscribed(self, subject: str, heard: Heard) -> AsyncIterator[None]:
        """Have a function called with the messages of a subject while the block runs.

        Raises:
            EventEngineUnavailable: There is no connection.
        """
        await self._subscribe(subject, heard)
        try:
            yield
        finally:
            self._heard.pop(subject, None)
            subscription = self._subscriptions.pop(subject, None)
            try:
                if subscription is not None:
                    await subscription.unsubscribe()
            except (self._library.errors.Error, OSError) as error:
                logger.debug("A subscription ended with NATS", extra={"reason": str(error)})

    async def _subscribe(self, subject: str, heard: Heard) -> None:
        with self.translated():
            self._subscriptions[subject] = await self.client.subscribe(subject, cb=heard)
        self._heard[subject] = heard

    # Being asked

    async def ready(self) -> Any:
        """Give the client; where the connection is lost, wait a moment for it to be back.

        Raises:
            EventEngineUnavailable: It is not back.
        """
        client = self._client
        if client is not None and not client.is_connected:
            await self._closed()
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
            reason = self._told() or "it does not answer in time"
            raise self.unavailable(reason, passing=_REFUSAL not in reason.lower()) from error
        except (self._library.errors.Error, OSError) as error:
            reason = str(error) or type(error).__name__
            raise self.unavailable(reason, passing=_REFUSAL not in reason.lower()) from error

    def _told(self) -> str:
        """Give what the server said before it fell silent."""
        reason, self._reason = self._reason, "it does not answer"
        return "" if reason == _CLOSED else reason

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


def _credentials(urls: Sequence[str]) -> dict[str, str]:
    """Give the name and password, or the token, that stand in one of the URLs, for all servers.

    The library sends them as they are written there; and to servers that it hears of, none.
    """
    for url in urls:
        parts = urlsplit(url)
        if parts.password is not None:
            return {"user": unquote(parts.username or ""), "password": unquote(parts.password)}
        if parts.username:
            return {"token": unquote(parts.username)}
    return {}


async def _give_up(client: Any) -> None:
    try:
        await client.close()
        # Where the library could not end by itself, it has left these behind.
        for subscription in [*client._subs.values()]:  # noqa: SLF001 - nothing else ends them
            subscription._stop_processing()  # noqa: SLF001 - as above
        if client._transport is not None:  # noqa: SLF001 - as above
            client._transport.close()  # noqa: SLF001 - as above
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody needs it any more
        logger.debug("A connection to NATS could not be closed", extra={"reason": str(error)})


def _library() -> ModuleType:
    try:
        import nats as library
        import nats.js.api
    except ImportError as error:
        raise EventEngineDriverMissing(engine="nats", library="nats-py") from error
    return library
