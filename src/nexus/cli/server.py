"""The server process of `nexus run`: uvicorn, with what goes on beside it."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from nexus.app import NexusApp
from nexus.cli.banner import show_banner, show_outcome, show_token
from nexus.cli.exit_codes import ExitCode
from nexus.cli.http_protocol import bounded_by
from nexus.cli.listening import local_url
from nexus.cli.output import Output
from nexus.cli.reloading import reload_on_change
from nexus.cli.running import RunFile, remove_run_file, write_run_file
from nexus.cli.stop_guard import StopGuard
from nexus.errors import NexusError

logger = logging.getLogger(__name__)


_CUT_SECONDS = 2
"""How long the server waits for requests that were cut off."""


class StartupWitness:
    """The application, with the error remembered that keeps it from starting.

    Starlette tells a server of a failed start by the text of a traceback; the error itself says it
    better.
    """

    def __init__(self, app: NexusApp) -> None:
        self._app = app
        self.error: NexusError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "lifespan":
            await self._serve(scope, receive, send)
            return

        async def witness(message: Message) -> None:
            error = sys.exc_info()[1]
            if message["type"] == "lifespan.startup.failed" and isinstance(error, NexusError):
                self.error = error
                message = {**message, "message": ""}
            await send(message)

        await self._app(scope, receive, witness)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # Only the server cancels: a request that outlasts its end. It says so itself, and
            # would log a traceback besides.
            logger.warning("a request was cut off at the stop", extra={"path": scope["path"]})


def server_config(app: NexusApp) -> uvicorn.Config:
    """Give the server's configuration for an application."""
    settings = app.settings
    proxies = settings.server.trusted_proxies
    return uvicorn.Config(
        StartupWitness(app),
        log_config=None,
        access_log=False,
        lifespan="on",
        # The plugins' requests are cut at the limit itself, and get an answer.
        timeout_graceful_shutdown=math.ceil(settings.shutdown.drain_timeout) + _CUT_SECONDS,
        http=bounded_by(settings.http.header_limit, settings.http.header_timeout),
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        root_path=settings.server.root_path,
        server_header=False,
    )


class NexusServer(uvicorn.Server):
    """Serves until it is told to stop; says where, and keeps the run file meanwhile.

    Args:
        config: The server's configuration.
        app: The application.
        out: Where people read what happens.
        listening: The bound socket.
        reload: Whether plugins are reloaded when their files change.

    Attributes:
        application: As given.
        out: As given.
        when_ready: Called once every plugin has settled.
        when_forced: Called when a second Ctrl-C is about to end the process.
        when_stuck: Called when the process is about to end since code in it does not let it stop.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: NexusApp,
        out: Output,
        listening: socket.socket,
        *,
        reload: bool,
    ) -> None:
        super().__init__(config)
        self.application = app
        self.out = out
        self._listening = listening
        self._reload = reload
        self._companions: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        self.when_ready: Callable[[], None] = _nothing
        self.when_forced: Callable[[], None] = _nothing
        self.when_stuck: Callable[[], None] = _nothing
        app.show_first_token = lambda token: show_token(out, token)
        app.give_up = self._give_up

    async def serve_application(self) -> None:
        """Serve until the process is told to stop.

        Raises:
            NexusError: The application could not start, be it only when its database came back.
            CannotWrite: The run file could not be written.
        """
        try:
            await self.serve(sockets=[self._listening])
        except SystemExit:
            witness: Any = self.config.app
            if witness.error is not None:
                raise witness.error from None
            raise
        finally:
            remove_run_file(self.application.settings.data_folder)
            for companion in self._companions:
                companion.cancel()
            await asyncio.gather(*self._companions, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def serve_until_the_end(self) -> None:
        """Serve as the one thing that this process is there for.

        Raises:
            NexusError: As `serve_application` does.
        """
        guard = StopGuard(
            self.application.settings.shutdown.timeout,
            is_told=lambda: self.is_told,
            last_words=self._say_last_words,
        )
        # The loop is the server's choice: uvloop where it is there.
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(guard.over(self.serve_application()))

    @property
    def is_told(self) -> bool:
        """Whether it is to stop."""
        return self.should_exit

    def _say_last_words(self) -> None:
        remove_run_file(self.application.settings.data_folder)
        self.when_stuck()

    def _give_up(self, error: BaseException) -> None:
        self._failure = error
        self.should_exit = True
        for companion in self._companions:
            companion.cancel()

    @override
    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup(sockets=list(sockets or ()))
        if self._failure is not None:
            return
        self.accompany("nexus.run.ready", self._tell_when_ready())
        try:
            self.tell()
        except BaseException:
            # Uvicorn ends what it has begun only where startup() returns; the application's threads
            # would keep the process alive.
            await self.shutdown(list(sockets or ()))
            raise

    def tell(self) -> None:
        """Say that it serves, and where."""
        url = local_url(self.application.settings.server.host, self._listening)
        write_run_file(
            self.application.settings.data_folder,
            RunFile(
                url=url,
                token=self.application.tokens.issue_for_run(),
                pid=os.getpid(),
                started=datetime.now(UTC).isoformat(),
            ),
        )
        show_banner(self.out, self.application, url, reload=self._reload)
        self.accompany("nexus.run.outcome", show_outcome(self.out, self.application))
        if self._reload:
            self.accompany("nexus.run.reload", reload_on_change(self.out, self.application))

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.application.parts.notice.give()
        self.application.announce_stop()
        cutting = asyncio.get_running_loop().create_task(self._cut(), name="nexus.run.cut")
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()
            await asyncio.gather(cutting, return_exceptions=True)

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Unlike the original's, a signal that was obeyed is not raised again: a clean stop ends
        # with 0.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            # At once, whatever hangs: what was committed is on the disk.
            self.when_forced()
            remove_run_file(self.application.settings.data_folder)
            os.write(2, b"\nStopped without waiting for work in hand.\n")
            os._exit(ExitCode.FORCED)
        if not self.should_exit and sig == signal.SIGINT:
            # With --json, standard output is for a program.
            stream = 2 if self.out.as_json else 1
            os.write(stream, b"\nStopping; a second Ctrl-C stops without waiting.\n")
        self.should_exit = True

    async def _cut(self) -> None:
        """End the requests of plugins that outlast the drain limit; the server ends the others."""
        await asyncio.sleep(self.application.settings.shutdown.drain_timeout)
        await self.application.dispatcher.close_remaining()

    async def _tell_when_ready(self) -> None:
        await self.application.ready()
        self.when_ready()

    def accompany(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside serving, until the end."""
        companion = asyncio.get_running_loop().create_task(work, name=name)
        companion.add_done_callback(_log_death)
        self._companions.append(companion)


def _nothing() -> None:
    """Be nobody who wants to know."""


def _log_death(companion: asyncio.Task[None]) -> None:
    error = None if companion.cancelled() else companion.exception()
    if error is not None:
        logger.error(
            "A task of the server ended unexpectedly; the application goes on without it.",
            extra={"task": companion.get_name()},
            exc_info=error,
        )
