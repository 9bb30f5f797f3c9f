"""Whether the application could listen, or already does."""

from collections.abc import Sequence

from nexus.cli.connection import running_where
from nexus.cli.diagnosis.line import Line, error, ok, warning
from nexus.cli.errors import AddressUnavailable, UnprotectedAddress
from nexus.cli.listening import bind, is_loopback
from nexus.cli.running import read_run_file
from nexus.config import Settings
from nexus.errors import NexusError


def diagnose_server(settings: Settings) -> Sequence[Line]:
    """Look at the address, and whether the application is running."""
    lines = _address(settings)
    try:
        where = running_where(settings)
    except NexusError as trouble:
        return [*lines, error("running", trouble.render())]
    if where:
        return [*lines, ok("running", f"yes,{where}")]
    run = read_run_file(settings.data_folder)
    if run is not None:
        message = f"no; process {run.pid} ended without cleaning up."
        lines.append(warning("running", message, "The next start cleans up."))
    else:
        lines.append(ok("running", "no"))
    return [*lines, _port(settings)]


def _address(settings: Settings) -> list[Line]:
    host = settings.server.host
    if is_loopback(host):
        return [ok("address", f"{host}, which this machine alone reaches")]
    if settings.security.secret_key or settings.security.admin_token:
        return [ok("address", f"{host}, which other machines reach")]
    return [error("address", UnprotectedAddress(host=host).render())]


def _port(settings: Settings) -> Line:
    host, port = settings.server.host, settings.server.port
    try:
        with bind(host, port):
            return ok("port", f"{port} is free" if port else "0 takes a free one")
    except AddressUnavailable as trouble:
        return error("port", trouble.render())
