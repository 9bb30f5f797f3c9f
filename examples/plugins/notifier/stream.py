"""The feed as server-sent events."""

from asyncio import get_running_loop, timeout
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from fastapi.sse import ServerSentEvent

from plugins.notifier.feed import Feed

_LOOK_AROUND = 1.0
"""Seconds after which a stream without news looks whether it should end."""


class Streams:
    """Counts the clients that follow the feed, and lets them go in time.

    A stream that went on for ever would hold up every reload, and the end of the application: both
    wait for requests in hand. So a stream ends when its generation is to end, and when it gets
    old. Browsers connect again by themselves and say which message they saw last; nothing is lost.
    """

    def __init__(self) -> None:
        self.count = 0
        self.closed = False

    async def follow(
        self, feed: Feed, after: int, *, serves: Callable[[], bool], seconds: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """Give each message with an id above `after`, as it comes.

        Args:
            feed: The feed.
            after: The id of the last message that the client has seen.
            serves: Tells whether the generation still serves.
            seconds: How old the stream may get.
        """
        clock = get_running_loop().time
        end = clock() + seconds
        self.count += 1
        try:
            yield ServerSentEvent(comment="connected", retry=1000)
            while True:
                news = feed.news  # taken first: a message that comes while we send sets it too
                for message in await feed.messages(after=after):
                    after = message.id
                    yield ServerSentEvent(data=message, event="message", id=str(message.id))
                left = end - clock()
                if self.closed or left <= 0 or not serves():
                    return
                with suppress(TimeoutError):
                    async with timeout(min(left, _LOOK_AROUND)):
                        await news.wait()
        finally:
            self.count -= 1
