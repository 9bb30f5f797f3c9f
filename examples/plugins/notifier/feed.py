"""The feed: a bounded list of messages that survives a restart."""

import asyncio
from datetime import UTC, datetime
from typing import Any, get_args

from nexus.plugins import BasePlugin
from plugins.notifier.models import Level, Message

_KEY = "feed"
_EMPTY: dict[str, Any] = {"last_id": 0, "messages": []}


class Feed:
    """Keeps the newest messages in the plugin's data; other plugins reach it as a service.

    The stored feed is read for each change and written back as one value: it is small, and so a
    message can be neither half there nor in memory alone. One lock keeps changes apart.

    Args:
        plugin: Whose data it is.
        lock: Held during changes; every generation of the plugin has to use the same one.

    Attributes:
        news: Is set at the next message, and another one takes its place.
    """

    def __init__(self, plugin: BasePlugin, lock: asyncio.Lock) -> None:
        self._plugin = plugin
        self._lock = lock
        self.news = asyncio.Event()

    async def notify(
        self,
        title: str,
        body: str = "",
        level: Level = "info",
        *,
        source: str = "service",
        event_id: str | None = None,
    ) -> int:
        """Add a message.

        Args:
            title: What it is about.
            body: The particulars.
            level: `info`, `warning` or `critical`.
            source: The plugin that it comes from, when it is known.
            event_id: The event that it tells of; told a second time, nothing is added.

        Returns:
            The message's id.

        Raises:
            ValueError: There is no such level.
        """
        if level not in get_args(Level):
            raise ValueError(f"level is one of {', '.join(get_args(Level))}; found {level!r}")
        capacity = await self._plugin.get_config("capacity", 200)
        async with self._lock:
            last_id, messages = await self._read()
            for message in messages:
                if event_id is not None and message.event_id == event_id:
                    return message.id
            new = Message(
                id=last_id + 1,
                at=datetime.now(UTC),
                level=level,
                title=title,
                body=body,
                source=source,
                event_id=event_id,
            )
            await self._write(new.id, [*messages, new][-capacity:])
        self.wake()
        await self._plugin.publish_event("notifier.notified", {"id": new.id, "title": title})
        return new.id

    async def messages(self, *, after: int = 0) -> list[Message]:
        """Give the messages with ids above `after`, the oldest first."""
        _, messages = await self._read()
        return [message for message in messages if message.id > after]

    async def mark_read(self, message_id: int | None = None) -> int:
        """Mark one message as read, or all of them.

        Returns:
            How many were unread before.
        """
        async with self._lock:
            last_id, messages = await self._read()
            unread = [
                message
                for message in messages
                if not message.read and message_id in (None, message.id)
            ]
            for message in unread:
                message.read = True
            if unread:
                await self._write(last_id, messages)
        return len(unread)

    def wake(self) -> None:
        """Have everybody look who waits for news."""
        self.news.set()
        self.news = asyncio.Event()

    async def _read(self) -> tuple[int, list[Message]]:
        stored: dict[str, Any] = await self._plugin.get_data(_KEY, _EMPTY)
        return stored["last_id"], [Message.model_validate(each) for each in stored["messages"]]

    async def _write(self, last_id: int, messages: list[Message]) -> None:
        plain = [message.model_dump(mode="json") for message in messages]
        await self._plugin.set_data(_KEY, {"last_id": last_id, "messages": plain})
