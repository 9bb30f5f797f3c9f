"""How commands find the application that runs from a folder.

`nexus run` holds a lock on its data folder (a lock of the database's own keeps all other users of
that away), and leaves its address and a token of this run in
`run.json` there, readable by its owner only. A process that was killed leaves a stale file, which
is told from a live one by the process's id and by asking the address.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from nexus.cli.errors import AlreadyRunning, CannotWrite

RUN_FILE: Final = "run.json"
_FIND_IT: Final = (
    "An application that 'nexus run' started is found as soon as it listens: try again if it is"
    " just starting. One that another server serves is named with --url and --token. Nothing was"
    " changed."
)
LOCK_FILE: Final = "run.lock"
_LARGEST_PID: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """What `nexus run` leaves for the other commands.

    Attributes:
        url: Where it can be reached from this machine.
        token: A management token that is valid until the process ends.
        pid: The process.
        started: When it began to listen, in ISO 8601.
    """

    url: str
    token: str = field(repr=False)
    pid: int
    started: str

    @property
    def process_exists(self) -> bool:
        """Whether there is a process of this id."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # somebody else's
        return True


def read_run_file(data_folder: Path) -> RunFile | None:
    """Give what the run file says; None when there is none, or when it says nothing usable.

    Raises:
        CannotWrite: There is one that this user may not read.
    """
    path = data_folder / RUN_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        pid = document["pid"]
        # 0 and negative numbers are groups of processes to the system, not one process.
        if type(pid) is not int or not 0 < pid <= _LARGEST_PID:
            return None
        return RunFile(
            url=str(document["url"]),
            token=str(document["token"]),
            pid=pid,
            started=str(document["started"]),
        )
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except PermissionError as error:
        raise CannotWrite(
            path=str(path), problem="it belongs to the user who started the application"
        ) from error
    except OSError as error:
        raise CannotWrite(path=str(path), problem=error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def write_run_file(data_folder: Path, run: RunFile) -> None:
    """Leave the run file, complete or not at all, readable by its owner only.

    Raises:
        CannotWrite: It cannot be written.
    """
    path = data_folder / RUN_FILE
    draft = data_folder / f".{RUN_FILE}.{os.getpid()}"
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(asdict(run), stream)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWrite(path=str(path), problem=error.strerror or str(error)) from error


def remove_run_file(data_folder: Path) -> None:
    """Take the run file away, if it is this process's own."""
    run = read_run_file(data_folder)
    if run is not None and run.pid == os.getpid():
        (data_folder / RUN_FILE).unlink(missing_ok=True)


@contextmanager
def sole_user(data_folder: Path) -> Iterator[None]:
    """Hold the data folder's lock; the system lets go of it when the process ends, however it does.

    Raises:
        AlreadyRunning: Another process holds it.
        CannotWrite: The data folder cannot be written.
    """
    path = data_folder / LOCK_FILE
    try:
        data_folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CannotWrite(
            path=str(data_folder),
            problem="the data folder cannot be made there, since a file is in its place",
            advice="Remove the file, or set data_dir (NEXUS_DATA_DIR).",
        ) from error
    except OSError as error:
        raise CannotWrite(path=str(data_folder), problem=error.strerror or str(error)) from error
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotWrite(path=str(path), problem=error.strerror or str(error)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(folder=str(data_folder), where=_where(data_folder)) from None
        yield
    finally:
        os.close(handle)


@contextmanager
def while_stopped(database: Path) -> Iterator[None]:
    """Hold a database for a command that changes it while no application runs.

    Raises:
        DatabaseInUse: An application uses it, or another such command.
        DatabaseUnavailable: Its folder cannot be written.
    """
    from nexus.data import sole_use
    from nexus.errors import DatabaseInUse

    with ExitStack() as stack:
        try:
            stack.enter_context(sole_use(database))
        except DatabaseInUse as error:
            raise DatabaseInUse(**{**error.data, "advice": _FIND_IT}) from None
        yield


def _where(data_folder: Path) -> str:
    run = read_run_file(data_folder)
    if run is None or not run.process_exists:
        return ""
    return f" at {run.url} (process {run.pid})"
