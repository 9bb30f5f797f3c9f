"""One of the processes that serve together: what `nexus run --workers` starts."""

import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from nexus.cli.banner import show_banner, show_outcome
from nexus.cli.listening import local_url
from nexus.cli.loading import load_application
from nexus.cli.output import Output
from nexus.cli.server import NexusServer, server_config
from nexus.errors import NexusError

if TYPE_CHECKING:
    from nexus.app import NexusApp

STARTED: Final = "started"
READY: Final = "ready"
FAILED: Final = "failed"
TELL: Final = "tell"


class Inherited:
    """A handle that the process to which this is sent at its start holds as well.

    Args:
        handle: The handle here.
    """

    def __init__(self, handle: int) -> None:
        self.handle = handle

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Have the handle come along."""
        return _inherit, (reduction.DupFd(self.handle),)


def _inherit(copy: Any) -> Inherited:
    return Inherited(copy.detach())


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOrder:
    """What a supervisor tells a worker.

    Attributes:
        folder: The application's folder.
        number: Which of the workers it is, from 1 on.
        sockets: Where the workers' sockets are, over which they tell each other what they know.
        token: The management token of this run, which all workers take.
        supervisor: The process that is to be told to stop.
        as_json: Whether a program reads what is printed.
        lock: The handle of the database's lock, which lasts as long as any worker; None where
            there is none.
        safe_mode: Why only plugins that come with Nexus start; empty when all do.
    """

    folder: Path
    number: int
    sockets: Path
    token: str
    supervisor: int
    as_json: bool
    lock: Inherited | None = None
    safe_mode: str = ""


def work(order: WorkerOrder, listening: socket.socket, line: Connection) -> None:
    """Serve until the supervisor says that it is enough, or has gone.

    Args:
        order: What to serve.
        listening: The socket that all workers share.
        line: Says `(STARTED,)`, `(READY,)` or `(FAILED, reason)`, and is told `TELL` or closed.
    """
    # A terminal's Ctrl-C reaches every process; the supervisor's is the one that counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        app = load_application(order.folder)
        app.set_up_logging()
        if order.safe_mode:
            app.parts.safe_mode.begin(order.safe_mode)
        WorkerServer(server_config(app), app, order, listening, line).serve_until_the_end()
    except NexusError as error:
        _report(line, FAILED, error.render())
        raise SystemExit(1) from None


class WorkerServer(NexusServer):
    """A server beside others, under a supervisor.

    Args:
        config: The server's configuration.
        app: The application.
        order: What the supervisor has said.
        listening: The socket that all workers share.
        line: The connection to the supervisor.
    """

    def __init__(
        self,
        config: Any,
        app: "NexusApp",
        order: WorkerOrder,
        listening: socket.socket,
        line: Connection,
    ) -> None:
        super().__init__(config, app, Output(as_json=order.as_json), listening, reload=False)
        self._order = order
        self._socket = listening
        self._line = line
        self.when_ready = lambda: _report(line, READY)

    @override
    def tell(self) -> None:
        self.application.tokens.accept_for_run(self._order.token)
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._listen)
        self.accompany("nexus.run.siblings", self._answer_siblings())
        _report(self._line, STARTED)

    async def _answer_siblings(self) -> None:
        siblings = self.application.parts.siblings
        async with siblings.joined(self._order.sockets, str(self._order.number)):
            await asyncio.get_running_loop().create_future()

    def _listen(self) -> None:
        try:
            said = self._line.recv()
        except (EOFError, OSError):  # nobody would stop this process, or start it again
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self.should_exit = True
            return
        if said == TELL:
            url = local_url(self.application.settings.server.host, self._socket)
            show_banner(self.out, self.application, url, reload=False, pid=self._order.supervisor)
            self.accompany("nexus.run.outcome", show_outcome(self.out, self.application))

    @property
    @override
    def is_told(self) -> bool:
        # Without a supervisor nobody would stop this process; a blocked loop does not hear of that.
        return super().is_told or os.getppid() != self._order.supervisor

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGINT:
            self.should_exit = True


def _report(line: Connection, *words: str) -> None:
    try:
        line.send(words)
    except OSError:  # the supervisor has gone
        os.kill(os.getpid(), signal.SIGTERM)
