"""A mailbox that keeps what comes for a plugin which does not run yet."""

from collections.abc import Callable, Sequence
from contextvars import Context

from typing_extensions import override

from nexus.events.ask import Ask
from nexus.events.dead_letters import DeadReason
from nexus.events.event import Event
from nexus.events.mailbox import Mailbox
from nexus.events.pattern import matches
from nexus.events.settings import SubscriptionOptions
from nexus.events.surroundings import Surroundings


class StandIn(Mailbox):
    """Holds events without handling any, in a mailbox's bounds, and tells when one comes.

    Args:
        pattern: Which events it holds.
        owner: The plugin that it stands in for.
        besides: The plugin's durable subscriptions, whose events wait in the log instead.
        surroundings: What all mailboxes share.
        ring: Called when an event has come.
    """

    __slots__ = ("_besides", "_ring")

    def __init__(
        self,
        *,
        pattern: str,
        owner: str,
        besides: Sequence[str],
        surroundings: Surroundings,
        ring: Callable[[], None],
    ) -> None:
        super().__init__(
            pattern=pattern,
            owner=owner,
            handler=_not_here,
            options=SubscriptionOptions(),
            surroundings=surroundings,
            context=Context(),
        )
        self._besides = tuple(besides)
        self._ring = ring

    @override
    def has_from_log(self, name: str) -> bool:
        return any(matches(pattern, name) for pattern in self._besides)

    @override
    def wake(self) -> None:
        """Tell that an event has come, instead of handling it."""
        self._ring()

    def take(self) -> list[Event]:
        """Give all events that are held, in order; publishers that wait for room go on."""
        held = self.queue.clear()
        while self.line:
            waiting, _ = self.line.popitem(last=False)
            held.append(waiting.event)
            waiting.settle()
        self.asks = 0
        self.notice()
        self.settle()
        return held

    def give_up(self, error: BaseException, until: int | None = None) -> int | None:
        """Make dead letters of the events that are held; requests are refused.

        Args:
            error: Why they cannot be handled.
            until: Only of those that were published up to this time, in nanoseconds.

        Returns:
            When the first was published that is still held, None when there is none.
        """
        kept: list[Event] = []
        for event in self.take():
            if until is None or event.time_ns <= until:
                self.bury(event, DeadReason.NOT_STARTED, error)
            else:
                kept.append(event)
        self.queue.push_front(kept)
        self.asks = sum(isinstance(each, Ask) for each in kept)
        return kept[0].time_ns if kept else None


def give(events: Sequence[Event], mailboxes: Sequence[Mailbox]) -> int:
    """Put events that were held into the mailboxes that they are for.

    They come in whether there is room or not: they were within the bounds of where they waited.

    Args:
        events: The events, in order.
        mailboxes: Those that may want them, the first in rank first.

    Returns:
        How many events nobody wanted.
    """
    unwanted = 0
    for event in events:
        if isinstance(event, Ask):
            _give_question(event, mailboxes)
            continue
        wanting = [
            each
            for each in mailboxes
            if not each.has_from_log(event.name) and matches(each.pattern, event.name)
        ]
        for mailbox in wanting:
            mailbox.queue.append_event(event)
            mailbox.wake()
        unwanted += not wanting
    return unwanted


def _give_question(ask: Ask, mailboxes: Sequence[Mailbox]) -> None:
    provider = next((each for each in mailboxes if each.pattern == ask.name), None)
    if provider is None:
        ask.refuse("the plugin that was started for it has no handler of this name")
        return
    provider.asks += 1
    provider.notice()
    provider.queue.append_event(ask)
    provider.wake()


async def _not_here(event: Event) -> None:
    raise RuntimeError(f"Nobody handles {event!r} here.")
