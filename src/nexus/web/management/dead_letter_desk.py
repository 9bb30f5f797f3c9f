"""Where an operator deals with dead letters, wherever they are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nexus.errors import DeadLetterNotFound, NexusError, ReplayRefused
from nexus.events import EventBus
from nexus.events.dead_letters import DeadLetter
from nexus.events.log import Buried, SubscriptionKey
from nexus.web.management.event_views import event_view, is_plain
from nexus.web.management.subscription_name import key_of


@dataclass(slots=True, kw_only=True)
class Dealt:
    """What became of dead letters.

    Attributes:
        done: With how many of them it was done.
        refused: Why not with the others, by their ids.
    """

    done: int = 0
    refused: dict[str, NexusError] = field(default_factory=dict)


class DeadLetterDesk:
    """Shows, replays and drops dead letters.

    Those of durable subscriptions are in the log, which has them for all processes; those of
    others are in the memory of this process.

    Args:
        bus: Has both.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._memory = bus.dead_letters
        self._log = None if bus.durable is None else bus.durable.log

    async def list(
        self, plugin: str | None, subscription: str | None, limit: int
    ) -> Sequence[dict[str, Any]]:
        """Give letters, newest first.

        Args:
            plugin: Only those of this plugin.
            subscription: Only those of this `plugin:pattern`.
            limit: At most so many.
        """
        key = None if subscription is None else key_of(subscription)
        found = [view(each) for each in self._memory.list() if _is_wanted(each, plugin, key)]
        wanted = plugin if key is None else key.plugin
        if self._log is not None and plugin in (None, wanted) and is_plain(wanted or ""):
            pattern = None if key is None else key.pattern
            buried = await self._log.letters(plugin=wanted, pattern=pattern, limit=limit)
            found.extend(view(each) for each in buried)
        found.sort(key=lambda each: (each["time"], each["id"]), reverse=True)
        return found[:limit]

    async def show(self, letter_id: str) -> dict[str, Any]:
        """Give one letter.

        Raises:
            DeadLetterNotFound: There is none with this id.
        """
        try:
            return view(self._memory.get(letter_id))
        except DeadLetterNotFound:
            found = await self._logged(letter_id)
            if found is None:
                raise
            return view(found)

    async def chosen(self, ids: Sequence[str] | None, subscription: str | None) -> Sequence[str]:
        """Give the ids that are meant: those given, or all of a subscription, oldest first."""
        if subscription is None:
            return list(dict.fromkeys(ids or ()))
        key = key_of(subscription)
        mine = [each.id for each in self._memory.list() if _is_wanted(each, None, key)]
        mine.reverse()
        return [*mine, *(() if self._log is None else await self._log.letter_ids(key))]

    async def replay(self, letter_ids: Iterable[str]) -> Dealt:
        """Have letters handled again; those in the log as soon as their plugin runs."""
        dealt = Dealt()
        for letter_id in await self._durable_first(letter_ids, dealt, retry=True):
            try:
                await self._bus.replay(letter_id)
            except (DeadLetterNotFound, ReplayRefused) as error:
                dealt.refused[letter_id] = error
            else:
                dealt.done += 1
        return dealt

    async def drop(self, letter_ids: Iterable[str]) -> Dealt:
        """Drop letters for good."""
        dealt = Dealt()
        for letter_id in await self._durable_first(letter_ids, dealt, retry=False):
            try:
                self._memory.drop(letter_id)
            except DeadLetterNotFound as error:
                dealt.refused[letter_id] = error
            else:
                dealt.done += 1
        return dealt

    async def _durable_first(
        self, letter_ids: Iterable[str], dealt: Dealt, *, retry: bool
    ) -> Sequence[str]:
        """Deal with those that are in the log, and give those that are in memory."""
        in_memory, in_log = [], []
        for letter_id in letter_ids:
            if self._is_in_memory(letter_id):
                in_memory.append(letter_id)
            elif await self._logged(letter_id) is not None:
                in_log.append(letter_id)
            else:
                dealt.refused[letter_id] = DeadLetterNotFound(id=letter_id)
        if in_log and self._log is not None:
            await (self._log.retry(in_log) if retry else self._log.drop(in_log))
            dealt.done += len(in_log)
        return in_memory

    async def _logged(self, letter_id: str) -> Buried | None:
        if self._log is None or not is_plain(letter_id):
            return None
        return await self._log.letter(letter_id)

    def _is_in_memory(self, letter_id: str) -> bool:
        try:
            self._memory.get(letter_id)
        except DeadLetterNotFound:
            return False
        return True


def view(letter: DeadLetter | Buried) -> dict[str, Any]:
    """Show a dead letter."""
    shown = letter.dict()
    return {
        **shown,
        "event": event_view(letter.event),
        "subscription": f"{shown['owner']}:{shown['pattern']}",
        "state": shown.get("state", "dead"),
        "durable": isinstance(letter, Buried),
    }


def _is_wanted(letter: DeadLetter, plugin: str | None, key: SubscriptionKey | None) -> bool:
    if plugin not in (None, letter.owner):
        return False
    return key in (None, (letter.owner, letter.pattern))
