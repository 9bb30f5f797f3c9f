"""Server-sent events, read and written."""

from collections.abc import AsyncIterator


async def messages_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, str]]:
    """Give the kind and the data of each message; what has no data is left out."""
    waiting = b""
    async for chunk in chunks:
        waiting += chunk.replace(b"\r\n", b"\n")
        *whole, waiting = waiting.split(b"\n\n")
        for each in whole:
            kind, data = _read(each.decode())
            if data is not None:
                yield kind, data


def message(html: str) -> bytes:
    """Write one message with a part of a page."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"{lines}\n".encode()


def _read(text: str) -> tuple[str, str | None]:
    kind, data = "message", []
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        if name == "event":
            kind = value.strip()
        elif name == "data":
            data.append(value.removeprefix(" "))
    return kind, "\n".join(data) if data else None
