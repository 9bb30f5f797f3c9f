"""Which host names a request may ask for."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.exceptions import HTTPException

from nexus.web.security_headers import RawHeader

_HOST: Final = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
_ALWAYS_ANSWERED: Final = "/health"
"""Those who look after processes ask each by its address, and are told nothing else."""


class HostRefused(HTTPException):
    """The request asks for a host that is not this application."""

    def __init__(self) -> None:
        super().__init__(400, "The Host of the request is none that this application answers for.")


class HostRule:
    """The hosts that an application answers for.

    Args:
        names: Host names or addresses without a port; `*.example.com` stands for all below
            `example.com`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        lowered = [name.lower().encode() for name in names]
        self._exact = frozenset(name for name in lowered if not name.startswith(b"*"))
        self._below = tuple(name[1:] for name in lowered if name.startswith(b"*"))

    def check(self, path: str, headers: Iterable[RawHeader]) -> None:
        """Let a request pass, or refuse it.

        Raises:
            HostRefused: It names no host, several, or one that is not allowed.
        """
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) == 1 and self._allows(hosts[0]):
            return
        if path == _ALWAYS_ANSWERED or path.startswith(_ALWAYS_ANSWERED + "/"):
            return
        raise HostRefused

    def _allows(self, host: bytes) -> bool:
        if host in self._exact:
            return True
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].removesuffix(b".")
        return name in self._exact or name.endswith(self._below)
