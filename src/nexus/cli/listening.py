"""The socket that the application listens on."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from nexus.cli.errors import AddressUnavailable

_ADVICE = {
    errno.EADDRINUSE: (
        "another program listens there",
        "Stop it, or choose another port with --port; 0 takes a free one.",
    ),
    errno.EACCES: (
        "this user may not use the port",
        "Choose a port from 1024 on, and put a reverse proxy before it.",
    ),
    errno.EADDRNOTAVAIL: (
        "this machine does not have that address",
        "Use 127.0.0.1 for this machine alone, or 0.0.0.0 for all of its addresses.",
    ),
}


@contextmanager
def bind(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a listening socket, and close it afterwards.

    Raises:
        AddressUnavailable: The address cannot be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise AddressUnavailable(
            address=host,
            problem=f"there is no such host ({error.strerror})",
            advice="Check --host and server.host.",
        ) from error
    # localhost has two addresses, and everybody tries the one of IPv4.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    # The protocol is named, since without it asyncio leaves Nagle's algorithm on: 40 ms a request.
    with socket.socket(family, kind, protocol) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(2048)
        except OSError as error:
            problem, advice = _ADVICE.get(
                error.errno or 0, (str(error), "Check --host and --port.")
            )
            shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise AddressUnavailable(address=shown, problem=problem, advice=advice) from error
        yield listening


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, which may be anybody's


def local_url(host: str, listening: socket.socket) -> str:
    """Give the address by which this machine reaches the socket."""
    port = listening.getsockname()[1]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IPv4
    return f"http://[{address}]:{port}" if ":" in str(address) else f"http://{address}:{port}"
