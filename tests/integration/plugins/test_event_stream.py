"""The live stream of events, over ASGI with a reader whose pace the test sets."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nexus.cli.server_events import ServerEvent, server_events
from nexus.events.feed import FEED_LIMIT

SECRET = "a-secret-of-the-shop"


class Reader:
    """A client of the stream: what it has read, and how to make it slow or go."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[bytes, bytes] = {}
        self.has_ended = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._has_gone = asyncio.Event()
        self._text = ""
        self._asked = False

    def goes(self) -> None:
        self._has_gone.set()

    @property
    def read(self) -> list[ServerEvent]:
        return list(server_events(self._text.split("\n")))

    @property
    def names(self) -> list[str]:
        return [json.loads(each.data)["name"] for each in self.read if each.kind == "message"]

    async def receive(self) -> dict[str, Any]:
        if self._asked:
            await self._has_gone.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        await self.may_read.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            self._text += message.get("body", b"").decode()
            if not message.get("more_body"):
                self.has_ended.set()


@asynccontextmanager
async def streaming(
    site: Any, query: str = "", *, token: bool = True, path: str = "/api/v1/events/stream"
) -> AsyncIterator[Reader]:
    reader = Reader()
    headers = [(b"authorization", f"Bearer {site.token}".encode())] if token else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("test", 1),
        "server": ("test", 80),
    }
    serving = asyncio.ensure_future(site.app(scope, reader.receive, reader.send))
    yield reader
    reader.goes()
    await serving


async def test_events_are_streamed_as_they_are_published(workshop: Any) -> None:
    async with workshop.running() as site, streaming(site, "name=order.*") as reader:
        await workshop.until(lambda: reader.read)
        assert reader.status == 200
        assert reader.headers[b"content-type"].startswith(b"text/event-stream")
        await site.app.bus.publish("note.a", source="nexus")
        event = await site.app.bus.publish("order.a", {"n": 1}, source="nexus")
        await workshop.until(lambda: reader.names)
        [message] = [each for each in reader.read if each.kind == "message"]
        shown = (await site.api("GET", "/events", params={"name": "order.*"})).json()["items"]
        assert [json.loads(message.data)] == shown
        assert shown[0]["id"] == event.id


async def test_a_stream_ends_when_the_application_begins_to_stop(workshop: Any) -> None:
    async with workshop.running() as site:
        async with streaming(site, "name=order.*") as reader:
            await workshop.until(lambda: reader.read)
            site.app.announce_stop()
            await reader.has_ended.wait()
            assert reader.read[-1].kind == "end"
        assert not site.app.bus.recent.is_watched


async def test_a_reader_who_goes_is_watched_for_no_more(workshop: Any) -> None:
    async with workshop.running() as site:
        async with streaming(site) as reader:
            await workshop.until(lambda: site.app.bus.recent.is_watched)
            await workshop.until(lambda: reader.read)
        assert not site.app.bus.recent.is_watched


async def test_a_slow_reader_holds_nobody_up_and_is_told_what_was_left_out(workshop: Any) -> None:
    many = 2 * FEED_LIMIT
    async with workshop.running() as site, streaming(site, "name=order.*") as reader:
        await workshop.until(lambda: reader.read)
        reader.may_read.clear()
        for number in range(many):
            await site.app.bus.publish(f"order.n{number}", source="nexus")
            await asyncio.sleep(0)
        reader.may_read.set()
        await workshop.until(lambda: f"order.n{many - 1}" in reader.names)
        dropped = [
            json.loads(each.data)["dropped"] for each in reader.read if each.kind == "dropped"
        ]
        assert sum(dropped) + len(reader.names) == many
        assert len(reader.names) < FEED_LIMIT + 20


async def test_secrets_are_masked_in_the_stream(workshop: Any) -> None:
    fields = {"password": {"type": "string", "secret": True}}
    workshop.plugin("shop", configuration=fields)
    async with (
        workshop.running(plugins={"shop": {"password": SECRET}}) as site,
        streaming(site, "name=order.*") as reader,
    ):
        await workshop.until(lambda: reader.read)
        await site.app.bus.publish("order.a", {"key": SECRET}, source="nexus")
        await workshop.until(lambda: reader.names)
        assert SECRET not in str(reader.read)
        assert "********" in str(reader.read)


@pytest.mark.parametrize(("query", "token", "status"), [("", False, 401), ("name=a..b", True, 422)])
async def test_a_stream_that_cannot_be_is_refused_with_a_problem(
    workshop: Any, query: str, token: bool, status: int
) -> None:
    async with workshop.running() as site:
        async with streaming(site, query, token=token) as reader:
            await reader.has_ended.wait()
            assert reader.status == status
            assert reader.headers[b"content-type"] == b"application/problem+json"
        assert not site.app.bus.recent.is_watched
