"""Finds the running application that a command is meant for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nexus.cli.errors import ApplicationUnreachable, MustNotRun, NothingRunning
from nexus.cli.folder import application_settings
from nexus.cli.running import read_run_file

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient
    from nexus.config import Settings
    from nexus.errors import DatabaseInUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which application a command is meant for.

    Attributes:
        folder: The application's folder as it was given, None for the current one.
        url: The address of a running one, None to find it by the folder.
        token: The management token that goes with the address.
    """

    folder: Path | None
    url: str | None = None
    token: str | None = None

    def settings(self) -> "Settings":
        """Load the settings of the application in the folder."""
        return application_settings(self.folder)


@contextmanager
def connected(where: Where) -> Iterator["ManagementClient"]:
    """Connect to the running application.

    Raises:
        NothingRunning: None runs from the folder.
        ApplicationUnreachable: None answers at the address that was given.
        NoApplication: The folder holds no application.
    """
    client = _remote(where) if where.url else None
    if client is None:
        settings = where.settings()
        client, detail = _local(settings)
        if client is None:
            raise NothingRunning(folder=str(settings.root), detail=detail)
    with client:
        yield client


@contextmanager
def maybe_connected(where: Where) -> Iterator["tuple[ManagementClient | None, str]"]:
    """Connect to the running application if there is one.

    Gives the client, or None with a sentence on what was found instead.

    Raises:
        ApplicationUnreachable: An address was given, and none answers there.
    """
    if where.url:
        with _remote(where) as remote:
            yield remote, ""
        return
    client, detail = _local(where.settings())
    if client is None:
        yield None, detail
        return
    with client:
        yield client, ""


def running_where(settings: "Settings") -> str:
    """Say where the application of these settings runs, such as ` at http://...`, or nothing."""
    run = read_run_file(settings.data_folder)
    client, _ = _local(settings)
    if run is None or client is None:
        return ""
    with client:
        return f" at {run.url} (process {run.pid})"


def must_not_run(action: str, settings: "Settings", error: "DatabaseInUse") -> MustNotRun:
    """Give the error of a command that found the database in use, saying where if that is known.

    Args:
        action: What the command does, such as `restore`.
        settings: The settings of the application.
        error: What the command ran into.
    """
    run, pid = read_run_file(settings.data_folder), error.data["pid"]
    where = "" if pid is None else f" (process {pid})"
    if run is not None and run.pid == pid:
        where = f" at {run.url}{where}"
    return MustNotRun(action=action, where=where)


def _remote(where: Where) -> "ManagementClient":
    from nexus.cli.client import ManagementClient

    url = where.url or ""
    if not url.startswith(("http://", "https://")):
        raise ApplicationUnreachable(url=url, problem="it does not start with http:// or https://")
    return ManagementClient(url, where.token, local=False)


def _local(settings: "Settings") -> "tuple[ManagementClient | None, str]":
    run = read_run_file(settings.data_folder)
    if run is None:
        return None, ""
    if not run.process_exists:
        return None, f"The last one (process {run.pid}) ended without cleaning up."
    from nexus.cli.client import ManagementClient

    client = ManagementClient(run.url, run.token, local=True)
    if client.answers():
        return client, ""
    client.__exit__()
    return None, f"Nobody answers at {run.url}, where one was started (process {run.pid})."
