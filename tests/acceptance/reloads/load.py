"""A process that sends requests at a steady pace, until its standard input ends.

python load.py URL FILE: writes a line of JSON an answer: what was asked, when it was sent and
answered (seconds of the machine's monotonic clock), the status, and the editions or the number.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import httpx

PAUSE = 0.02
"""Seconds between an answer and the next request of a sender."""

Ask = tuple[str, str, str]


def routes() -> Iterator[Ask]:
    """Give what the plugin's own route is asked for."""
    return itertools.repeat(("route", "GET", "/plugins/tariff/"))


def calls() -> Iterator[Ask]:
    """Give what has another plugin call the service."""
    return itertools.repeat(("call", "GET", "/plugins/desk/price"))


def sales() -> Iterator[Ask]:
    """Give what publishes durable events, each with a number of its own."""
    return (("sale", "POST", f"/plugins/desk/sales/{number}") for number in itertools.count(1))


async def send(client: httpx.AsyncClient, asks: Iterator[Ask], out: TextIO) -> None:
    """Send one request after another."""
    for kind, method, path in asks:
        sent = time.monotonic()
        status, said = await ask(client, method, path)
        line = {"kind": kind, "sent": sent, "ended": time.monotonic(), "status": status}
        out.write(json.dumps({**line, "said": said}) + "\n")
        await asyncio.sleep(PAUSE)


async def ask(client: httpx.AsyncClient, method: str, path: str) -> tuple[int, Any]:
    """Give the status, 0 where there was no answer, and what was said."""
    try:
        answer = await client.request(method, path)
    except httpx.TransportError as error:
        return 0, repr(error)
    return answer.status_code, answer.json()


async def main(url: str, path: str) -> None:
    """Load the application until the standard input ends."""
    asks: list[Callable[[], Iterator[Ask]]] = [routes, routes, calls, calls]
    with open(path, "w") as out:  # noqa: ASYNC230, PTH123 - nothing else runs yet
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            senders = [asyncio.create_task(send(client, each(), out)) for each in asks]
            senders.append(asyncio.create_task(send(client, sales(), out)))
            await asyncio.to_thread(sys.stdin.read)
            for each in senders:
                each.cancel()
            await asyncio.wait(senders)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
