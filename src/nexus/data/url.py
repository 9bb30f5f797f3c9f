"""Database URLs: where the application's data is."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from typing_extensions import override

from nexus.data.database import EngineName

TlsMode: TypeAlias = Literal["disable", "prefer", "require", "verify-full"]

_SQLITE: Final = "sqlite:///"
_ENGINES: Final[dict[str, EngineName]] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mariadb",
    "mariadb": "mariadb",
}
_PORTS: Final[dict[EngineName, int]] = {"postgresql": 5432, "mariadb": 3306}
_EXAMPLES: Final = (
    "a URL such as sqlite:///data/nexus.db, postgresql://user:password@host:5432/name or"
    " mysql://user:password@host:3306/name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A database URL, taken apart.

    Attributes:
        engine: The kind of database.
        path: The file of an SQLite database, as it was given; empty for a server.
        host: The server; for PostgreSQL a path is the folder of its socket.
        port: Its port.
        user: Who connects; empty for whoever the driver takes.
        password: Kept out of `repr`, of messages and of logs.
        database: The database on the server.
        tls: Whether the connection is encrypted: never, where the server can, always, or always
            with a certificate that fits the host.
        tls_roots: The file with the authorities that may have signed it; the system's if empty.
    """

    engine: EngineName
    path: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    database: str = ""
    tls: TlsMode = "prefer"
    tls_roots: str = ""

    @override
    def __repr__(self) -> str:
        return f"DatabaseUrl({self.location!r})"

    @property
    def location(self) -> str:
        """The URL without user and password, or the path of the file."""
        if self.engine == "sqlite":
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.engine}://{host}:{self.port}/{self.database}"


def parse_url(url: str) -> DatabaseUrl:
    """Take a database URL apart.

    Args:
        url: `sqlite:///name.db` for a path relative to the application's folder,
            `sqlite:////srv/name.db` for an absolute one; `postgresql://user:password@host:port/name`
            or `mysql://...` for a server, with `?sslmode=` (`disable`, `prefer`, `require`,
            `verify-full`) and `&sslrootcert=` (a file) behind it where that is wanted.

    Raises:
        ValueError: It is no such URL; the message says what is expected, and never the URL, which
            may hold a password.
    """
    if url.startswith("sqlite:"):
        return DatabaseUrl(engine="sqlite", path=_sqlite_path(url))
    scheme, _, _ = url.partition("://")
    engine = _ENGINES.get(scheme.lower())
    if engine is None or "\0" in url:
        raise ValueError(_EXAMPLES)
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[engine]
    except ValueError:
        raise ValueError(_EXAMPLES) from None
    database = unquote(parts.path.removeprefix("/"))
    tls, roots = _tls(parts.query)
    if parts.fragment:
        raise ValueError(f"{_EXAMPLES}, with no # in it (write %23)")
    if not parts.hostname or not database or "/" in database:
        raise ValueError(f"{_EXAMPLES}, with a host and the name of a database")
    return DatabaseUrl(
        engine=engine,
        host=unquote(parts.hostname),
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=database,
        tls=tls,
        tls_roots=roots,
    )


def _tls(query: str) -> tuple[TlsMode, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    wanted, roots = options.pop("sslmode", "prefer"), options.pop("sslrootcert", "")
    for mode in get_args(TlsMode):
        if wanted == mode and not options:
            return mode, roots
    raise ValueError(
        f"{_EXAMPLES}, with no other options than sslmode ({', '.join(get_args(TlsMode))}) and"
        " sslrootcert"
    )


def _sqlite_path(url: str) -> str:
    path = url.removeprefix(_SQLITE)
    if path == url or path in {"", ":memory:"} or "?" in path or "\0" in path:
        raise ValueError("a URL with the path of a file, such as sqlite:///data/nexus.db")
    return path
