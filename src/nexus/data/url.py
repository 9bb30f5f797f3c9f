"""Database URLs: where the application's data is."""

from typing import Final

_PREFIX: Final = "sqlite:///"


def sqlite_path(url: str) -> str:
    """Give the path in an SQLite URL.

    Args:
        url: `sqlite:///name.db` for a path relative to the application's folder, or
            `sqlite:////srv/name.db` for an absolute one.

    Raises:
        ValueError: It is no such URL; the message says what is expected, and never the URL, which
            may hold a password.
    """
    path = url.removeprefix(_PREFIX)
    if path == url:
        raise ValueError("a URL such as sqlite:///data/nexus.db; this version knows SQLite only")
    if path in {"", ":memory:"} or "?" in path or "\0" in path:
        raise ValueError("a URL with the path of a file, such as sqlite:///data/nexus.db")
    return path
