import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from nexus.web.request_body import SLOWEST, BodyTooSlow, ContentTooLarge, limited


def body(*pieces: tuple[float, bytes], then: Any = None) -> Any:
    """Give a `receive` that hands over each piece after its seconds, and then never returns."""
    waiting = list(pieces)

    async def receive() -> Any:
        if not waiting:
            if then is not None:
                return then
            await asyncio.Event().wait()
        seconds, piece = waiting.pop(0)
        if seconds:
            await asyncio.sleep(seconds)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting) or then is None}

    return receive


async def read(receive: Any) -> bytes:
    whole = b""
    while True:
        message = await receive()
        whole += bytes(message["body"])
        if not message["more_body"]:
            return whole


@pytest.mark.parametrize("pieces", [(), ((0, b"a"),), ((0, b"a"), (0, b"b"))])
async def test_a_body_that_stops_arriving_is_refused(pieces: Sequence[Any]) -> None:
    with pytest.raises(BodyTooSlow) as caught:
        await read(limited(body(*pieces), b"", None, 0.01))
    assert caught.value.status_code == 408
    assert caught.value.headers == {"Connection": "close"}


async def test_a_body_that_only_drips_is_refused() -> None:
    drops = [(0.02, b"x")] * 50
    with pytest.raises(BodyTooSlow):
        await read(limited(body(*drops, then={"type": "http.disconnect"}), b"", None, 0.1))


async def test_what_arrives_buys_time() -> None:
    pieces = [(0, b"x" * SLOWEST * 60), (0.1, b"y")]
    whole = await read(limited(body(*pieces, then={"type": "http.disconnect"}), b"", None, 0.01))
    assert len(whole) == SLOWEST * 60 + 1


async def test_time_in_which_the_application_does_not_ask_is_its_own() -> None:
    receive = limited(body((0, b"a"), (0, b"b"), then={"type": "http.disconnect"}), b"", None, 0.05)
    await receive()
    await asyncio.sleep(0.1)
    assert (await receive())["body"] == b"b"


async def test_after_the_body_the_end_of_the_connection_is_waited_for_without_a_limit() -> None:
    message = {"type": "http.request", "body": b"a", "more_body": False}
    gone = asyncio.Event()

    async def receive() -> Any:
        nonlocal message
        if not message:
            await gone.wait()
            return {"type": "http.disconnect"}
        given, message = message, {}
        return given

    bounded = limited(receive, b"1", 10, 0.01)
    await bounded()
    waiting: asyncio.Future[Any] = asyncio.ensure_future(bounded())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    gone.set()
    assert (await waiting)["type"] == "http.disconnect"


async def test_an_announced_size_is_judged_before_anything_is_read() -> None:
    with pytest.raises(ContentTooLarge):
        limited(body(), b"11", 10, None)
    limited(body(), b"10", 10, None)
