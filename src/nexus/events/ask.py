"""A question to one provider: an event that carries the place for its answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nexus.errors import EventDataInvalid
from nexus.events.event import Event
from nexus.events.payload import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question.

    Attributes:
        value: The reply, as plain JSON data that belongs to who asked.
        failure: Why there is none; None when there is one.
    """

    value: Any = None
    failure: str | None = None


class Ask(Event):
    """An event for one provider, whose handler's return value is the reply."""

    __slots__ = ("reply",)

    def __init__(
        self,
        name: str,
        data: Mapping[str, Any] | None,
        source: str,
        correlation_id: str | None,
        causation_id: str | None,
    ) -> None:
        super().__init__(name, data, source, correlation_id, causation_id)
        self.reply: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answer(self, value: Any) -> None:
        """Give the handler's return value to who asked, if it still waits."""
        try:
            answer = Answer(value=plain(value))
        except EventDataInvalid as error:
            answer = Answer(failure=f"its reply is not JSON data: {error}")
        if not self.reply.done():
            self.reply.set_result(answer)

    def refuse(self, failure: str) -> None:
        """Tell who asked why there is no reply, if it still waits."""
        if not self.reply.done():
            self.reply.set_result(Answer(failure=failure))
