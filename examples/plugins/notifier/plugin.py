"""Listens to the other plugins, and keeps a feed of what they did."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from nexus.events import Event
from nexus.plugins import BasePlugin
from plugins.notifier.feed import Feed
from plugins.notifier.models import Level, Marked, MessageList, Statistics
from plugins.notifier.stream import Streams
from plugins.notifier.wording import words_for

_SOURCES = ("tasks.*", "weather_station.*", "user.created", "my_awesome_plugin.*")


class NotifierPlugin(BasePlugin):
    """Writes a message for each event, and offers the feed as the service `notifier.feed`."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = Feed(self, asyncio.Lock())
        self.streams = Streams()
        self.received: Counter[str] = Counter()

    async def initialize(self) -> bool:
        """Listen, and offer the feed."""
        # While a reload is under way, two generations may change the stored feed. They exclude
        # each other because they use one lock, which goes from one to the next as a service.
        lock = self.get_service("notifier.lock") or asyncio.Lock()
        self.register_service("notifier.lock", lock)
        self.feed = Feed(self, lock)
        self.register_service("notifier.feed", self.feed)
        for pattern in _SOURCES:
            await self.subscribe_to_event(pattern, self._take)
        await self.subscribe_to_event("system.stopping", self._close_streams)
        return True

    async def shutdown(self) -> None:
        """Let the clients go."""
        self._end_streams()

    def get_api_routes(self) -> list[APIRouter]:
        """Serve the feed."""
        router = APIRouter(tags=[self.name])
        self._add_feed(router)
        self._add_stream(router)

        @router.get("/stats", summary="Count the messages")
        async def get_statistics() -> Statistics:
            messages = await self.feed.messages()
            return Statistics(
                kept=len(messages),
                unread=sum(not message.read for message in messages),
                by_level=Counter(message.level for message in messages),
                by_source=Counter(message.source for message in messages),
                received=self.received,
                streams=self.streams.count,
            )

        return [router]

    def get_metrics(self) -> dict[str, float]:
        """Add how many events came, and how many clients follow the feed."""
        return {
            **super().get_metrics(),
            "events_received": float(self.received.total()),
            "streams": float(self.streams.count),
        }

    # Routes

    def _add_feed(self, router: APIRouter) -> None:
        @router.get("/feed", summary="List the messages, the newest first")
        async def list_messages(
            level: Level | None = None,
            source: Annotated[str | None, Query(description="A plugin's name.")] = None,
            unread: Annotated[bool, Query(description="Leave out what is read.")] = False,
            limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        ) -> MessageList:
            messages = await self.feed.messages()
            found = [
                message
                for message in reversed(messages)
                if level in (None, message.level)
                and source in (None, message.source)
                and not (unread and message.read)
            ]
            return MessageList(
                items=found[:limit], unread=sum(not message.read for message in messages)
            )

        @router.post("/feed/read", summary="Mark all messages as read")
        async def mark_all() -> Marked:
            return Marked(marked=await self.feed.mark_read())

        @router.post("/feed/{message_id}/read", summary="Mark a message as read")
        async def mark_one(message_id: int) -> Marked:
            marked = await self.feed.mark_read(message_id)
            if not marked and all(each.id != message_id for each in await self.feed.messages()):
                raise HTTPException(404, f"There is no message {message_id}.")
            return Marked(marked=marked)

    def _add_stream(self, router: APIRouter) -> None:
        @router.get(
            "/stream", response_class=EventSourceResponse, summary="Follow the feed as it grows"
        )
        async def follow(
            after: Annotated[int, Query(ge=0, description="Leave out up to this id.")] = 0,
            last_event_id: Annotated[int | None, Header(ge=0)] = None,
        ) -> AsyncIterator[ServerSentEvent]:
            seen = after if last_event_id is None else last_event_id
            seconds = await self.get_config("stream_seconds", 20)
            stream = self.streams.follow(self.feed, seen, serves=self._serves, seconds=seconds)
            async with aclosing(stream):
                async for event in stream:
                    yield event

    def _serves(self) -> bool:
        return str(self.get_info()["stage"]) != "retired"

    # Events

    async def _take(self, event: Event) -> None:
        self.received[event.name] += 1
        if event.name not in await self.get_config("muted", []):
            title, body, level = words_for(event)
            await self.feed.notify(title, body, level, source=event.source, event_id=event.id)

    async def _close_streams(self, _event: Event) -> None:
        self._end_streams()

    def _end_streams(self) -> None:
        self.streams.closed = True
        self.feed.wake()
