"""A connection of asyncmy, with what the pool needs to know about it (asyncmy 0.2)."""

import asyncio
from typing import Any, Final

import asyncmy
from asyncmy import cursors
from asyncmy.constants.CLIENT import DEPRECATE_EOF, MULTI_STATEMENTS, SSL
from asyncmy.errors import OperationalError
from typing_extensions import override

_NO_TLS: Final = 2026  # CR_SSL_CONNECTION_ERROR
# Its annotations leave out what is not public.
_Connection: Any = asyncmy.Connection
_Cursor: Any = cursors.Cursor


class RawConnection(_Connection):  # type: ignore[misc]  # see above
    """Refuses several statements in one text, and encrypts only if the server does.

    Attributes:
        wants_tls: Whether the server has to encrypt.
    """

    wants_tls = False
    _ssl_context: Any
    _is_paused = False

    @override
    async def _get_server_information(self) -> None:
        await super()._get_server_information()
        self._client_flag &= ~MULTI_STATEMENTS
        # With it asyncmy takes a row for the end that begins with a value of 16 MiB or more.
        self.server_capabilities &= ~DEPRECATE_EOF
        if self._ssl_context is None:
            return
        if self.server_capabilities & SSL:
            # The server takes the first packet's word, in which asyncmy says nothing of bulk
            # operations; it would refuse them.
            self._mariadb_ext_caps = 0
            return
        if self.wants_tls:
            raise OperationalError(_NO_TLS, "the server does not encrypt")
        self._ssl_context = None
        self._client_flag &= ~SSL

    @property
    def is_usable(self) -> bool:
        """Tell whether both sides are there."""
        return bool(self._connected) and not self._stream_broken

    @property
    def local_port(self) -> int:
        """The port on our side, by which the server knows the connection; 0 for a socket."""
        if self._transport is None:
            return 0
        name = self._transport.get_extra_info("sockname")
        return name[1] if isinstance(name, tuple) else 0

    @property
    def result(self) -> Any:
        """What the last statement gave."""
        return self._result

    def abort(self) -> None:
        """Drop it without waiting until what was written is sent."""
        transport = self._transport
        self.close()
        if transport is not None:
            transport.abort()

    def pause(self) -> None:
        """Leave what comes at the server until it is waited for."""
        self._is_paused = True
        transport = self._transport
        if transport is not None and transport.is_reading() and not transport.is_closing():
            transport.pause_reading()

    def resume(self) -> None:
        """Take what comes, as usual."""
        self._is_paused = False
        transport = self._transport
        if transport is not None and not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()

    @override
    async def _fill_buffer(self, need: int) -> None:
        proto = self._proto
        while self._is_paused and proto.length - proto.pos < need and not self._stream_broken:
            proto._read_waiter = waiter = _OneRead(self)  # noqa: SLF001 - as the driver does
            self._transport.resume_reading()
            try:
                await waiter
            except asyncio.CancelledError:
                self._close_on_cancel()
                raise
            finally:
                if proto._read_waiter is waiter:  # noqa: SLF001
                    proto._read_waiter = None  # noqa: SLF001
                self.pause()
        await super()._fill_buffer(need)


class _OneRead(asyncio.Future[None]):
    """Waits for something to come, and lets no more come after it.

    By the time that a coroutine goes on, uvloop may have read dozens of times.
    """

    def __init__(self, raw: RawConnection) -> None:
        super().__init__()
        self._raw = raw

    @override
    def set_result(self, result: None, /) -> None:
        self._raw.pause()
        super().set_result(result)


class QuietCursor(_Cursor):  # type: ignore[misc]  # see above
    """A cursor that does not ask the server for its warnings after each statement that has some."""

    @override
    async def _show_warnings(self, conn: Any) -> None:
        pass
