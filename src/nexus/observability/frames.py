"""JSON over a stream of bytes, each piece with its length in front."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

_LENGTH: Final = 4


async def write_frame(writer: asyncio.StreamWriter, value: Any) -> None:
    """Send a piece of JSON, and wait while the other side does not keep up.

    Raises:
        OSError: The other side has gone.
    """
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    writer.write(len(body).to_bytes(_LENGTH, "big") + body)
    await writer.drain()


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """Wait for the next piece.

    Raises:
        EOFError: There is none any more.
        OSError: The other side has gone.
    """
    length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
    return json.loads(await reader.readexactly(length))


@asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection after the block; what it had to send is dropped where the block fails."""
    try:
        yield
    except BaseException:
        writer.transport.abort()
        raise
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
