"""A connection of asyncmy, with what the pool needs to know about it (asyncmy 0.2)."""

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
        """Leave what comes at the server, for a reader that is busy."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take what comes."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()


class QuietCursor(_Cursor):  # type: ignore[misc]  # see above
    """A cursor that does not ask the server for its warnings after each statement that has some."""

    @override
    async def _show_warnings(self, conn: Any) -> None:
        pass
