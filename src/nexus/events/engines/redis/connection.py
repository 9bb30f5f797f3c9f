"""The connections to a Redis server, and what their errors mean."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from nexus.config.event_engine import EventEngine
from nexus.errors import EventEngineDriverMissing, EventEngineUnavailable

_CONNECT: Final = 3.0
_ANSWER: Final = 5.0
"""Seconds that the server has."""
_CHECK: Final = 30
_CONNECTIONS: Final = 20


class Connection:
    """A pool of connections, made anew by itself where they are lost.

    Args:
        engine: Where the server is.

    Raises:
        EventEngineDriverMissing: The library is not installed.
    """

    def __init__(self, engine: EventEngine) -> None:
        self._library = _library()
        self._engine = engine
        self.location = engine.location
        self._client: Any = None

    def __call__(self) -> Any:
        """Give the client.

        Raises:
            EventEngineUnavailable: It is not open.
        """
        if self._client is None:
            raise self.unavailable("it is closed", passing=False)
        return self._client

    def open(self) -> None:
        """Make the client; it connects when it is asked something."""
        if self._client is None:
            library = self._library.asyncio
            pool = library.BlockingConnectionPool.from_url(
                self._engine.url,
                max_connections=_CONNECTIONS,
                timeout=_ANSWER,
                socket_timeout=_ANSWER,
                socket_connect_timeout=_CONNECT,
                socket_keepalive=True,
                health_check_interval=_CHECK,
                # What failed may have been done: nothing is sent twice unasked.
                retry=library.retry.Retry(self._library.backoff.NoBackoff(), 0),
                protocol=2,
            )
            self._client = library.Redis.from_pool(pool)

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def unavailable(self, reason: str, *, passing: bool = True) -> EventEngineUnavailable:
        """Give the error for a server that cannot be worked with."""
        return EventEngineUnavailable(
            engine="redis", location=self._engine.location, reason=reason, passing=passing
        )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the library's errors into the platform's.

        Raises:
            EventEngineUnavailable: The server does not answer, or refuses.
        """
        errors = self._library.exceptions
        task = asyncio.current_task()
        cancelled = 0 if task is None else task.cancelling()
        try:
            try:
                yield
            finally:
                # The library's time limits of zero seconds swallow a cancellation now and then.
                if task is not None and task.cancelling() > cancelled:
                    raise asyncio.CancelledError
        except errors.AuthenticationError as error:
            raise self.unavailable(f"it refuses the password: {error}", passing=False) from error
        except (errors.RedisError, OSError, asyncio.IncompleteReadError) as error:
            raise self.unavailable(str(error) or type(error).__name__) from error

    async def risk(self) -> str:
        """Say what the server may lose that it has acknowledged; nothing where that is synced.

        A server that does not tell everybody how it is set is taken at its word.
        """
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        try:
            found = await self().config_get(*wanted)
        except self._library.exceptions.ResponseError:
            return ""
        wrong = {
            name: found[name] for name, value in wanted.items() if found.get(name, value) != value
        }
        if not wrong:
            return ""
        expected = _listed({name: wanted[name] for name in wrong})
        return (
            "In a crash or a power failure, Redis may lose events that it has acknowledged: it is"
            f" set to {_listed(wrong)}. Expected {expected}."
        )


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _library() -> ModuleType:
    try:
        import redis as library
        import redis.asyncio.retry
    except ImportError as error:
        raise EventEngineDriverMissing(engine="redis", library="redis") from error
    return library
