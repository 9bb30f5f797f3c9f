"""Which engine keeps the events of the durable log, and where it is."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

EngineKind: TypeAlias = Literal["sql", "nats", "redis"]

_SCHEMES: Final[dict[str, EngineKind]] = {
    "nats": "nats",
    "tls": "nats",
    "redis": "redis",
    "rediss": "redis",
}
_USUAL: Final = {"nats": "nats://127.0.0.1:4222", "redis": "redis://127.0.0.1:6379/0"}
_PORTS: Final[dict[EngineKind, int]] = {"nats": 4222, "redis": 6379}
_EXPECTED: Final = (
    "sql (the application's database), nats://host:4222 or redis://host:6379/0; a name and a"
    " password go before the host, and tls:// or rediss:// encrypts"
)
_DATABASE: Final = re.compile(r"(/\d*)?")
"""Redis: the path is the number of a database."""
STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a stream may be called in all engines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEngine:
    """The setting `events.engine`, taken apart.

    Attributes:
        kind: Which engine.
        url: Where it is, as its library takes it, with the password if there is one; empty for the
            application's database.
        location: The same for people, without name and password.
    """

    kind: EngineKind = "sql"
    url: str = field(default="", repr=False)
    location: str = ""

    @property
    def passwords(self) -> tuple[str, ...]:
        """What must not show: the password of each server, as it is and as the URL writes it."""
        found = [urlsplit(url.strip()).password for url in self.url.split(",")]
        return tuple(form for each in found if each for form in (each, unquote(each)))


def parse_engine(text: str) -> EventEngine:
    """Take the setting apart.

    Args:
        text: `sql`, `nats`, `redis`, or a URL; for NATS several with commas between them.

    Raises:
        ValueError: It is none of them; the message says what is expected, and never the text,
            which may hold a password.
    """
    if text == "sql":
        return EventEngine()
    urls = _USUAL.get(text, text).split(",")
    kinds = set()
    locations = []
    for url in urls:
        scheme, _, _ = url.partition("://")
        kind = _SCHEMES.get(scheme.lower())
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:
            raise ValueError(_EXPECTED) from None
        if kind is None or not parts.hostname or "\0" in url:
            raise ValueError(_EXPECTED)
        if kind == "redis" and not _DATABASE.fullmatch(parts.path):
            raise ValueError(_EXPECTED)
        kinds.add(kind)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        path = parts.path if kind == "redis" and parts.path != "/" else ""
        locations.append(f"{scheme.lower()}://{host}:{port or _PORTS[kind]}{path}")
    if len(kinds) > 1 or (len(urls) > 1 and kinds != {"nats"}):
        raise ValueError(_EXPECTED)
    return EventEngine(kind=kinds.pop(), url=",".join(urls), location=",".join(locations))
