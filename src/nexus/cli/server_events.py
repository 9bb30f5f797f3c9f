"""Reads server-sent events, as the HTML standard has them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One of them.

    Attributes:
        kind: Its type, `message` unless it says otherwise; `remark` for a comment, which has no
            meaning but that the connection is alive.
        data: What it carries.
    """

    kind: str
    data: str = ""


def server_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """Make events of the lines of a stream; the last one counts only when it is whole."""
    kind, data = "message", list[str]()
    for line in lines:
        if line.startswith(":"):
            yield ServerEvent(kind="remark", data=line[1:].strip())
            continue
        if not line:
            if data:
                yield ServerEvent(kind=kind, data="\n".join(data))
            kind, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
