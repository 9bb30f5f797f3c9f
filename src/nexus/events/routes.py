"""Which mailboxes an event name leads to.

Patterns stand in a trie of segments. What it finds for a name is remembered, so that the usual
publication costs one look-up in a dictionary; the memory is dropped when a subscription comes or
goes, and is bounded, since names may come from outside.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nexus.errors import BusNotRunning
from nexus.events.mailbox import Mailbox
from nexus.events.pattern import ONE, REST, check_name

if TYPE_CHECKING:
    from nexus.events.subscription import Subscription

MEMO_LIMIT = 4096
"""How many names are remembered."""


class _Node:
    """One place in the trie: what follows it, and what ends here or takes all the rest."""

    __slots__ = ("ending", "following", "rest")

    def __init__(self) -> None:
        self.following: dict[str, _Node] = {}
        self.ending: list[Subscription] = []
        self.rest: list[Subscription] = []

    @property
    def is_empty(self) -> bool:
        return not (self.following or self.ending or self.rest)


class Routes(dict[str, tuple[Mailbox, ...]]):
    """A dictionary from names to mailboxes that fills itself.

    `routes[name]` gives the mailboxes by falling priority, then in the order of attachment.
    It raises EventNameInvalid for what is no name, and BusNotRunning while it is not open; a name
    that it remembers is past both tests.

    Attributes:
        open: Whether names are looked up.
    """

    __slots__ = ("_root", "_subscriptions", "open")

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self._root = _Node()
        self._subscriptions: dict[Subscription, None] = {}

    def __missing__(self, name: str) -> tuple[Mailbox, ...]:
        check_name(name)
        if not self.open:
            raise BusNotRunning(operation=f"publishing {name!r}")
        found = sorted(_find(self._root, name.split(".")), key=lambda each: each.rank)
        if len(self) >= MEMO_LIMIT:
            self.clear()
        mailboxes = self[name] = tuple(each.mailbox for each in found)
        return mailboxes

    def close(self) -> None:
        """Look up no more names."""
        self.open = False
        self.clear()

    def add(self, subscriptions: Iterable["Subscription"]) -> None:
        """Let the subscriptions have events."""
        self.clear()
        for subscription in subscriptions:
            if subscription not in self._subscriptions:
                self._subscriptions[subscription] = None
                *path, last = subscription.pattern.split(".")
                node = self._root
                for segment in path if last == REST else (*path, last):
                    node = node.following.setdefault(segment, _Node())
                (node.rest if last == REST else node.ending).append(subscription)

    def remove(self, subscriptions: Iterable["Subscription"]) -> None:
        """Let the subscriptions have no more events."""
        self.clear()
        for subscription in subscriptions:
            if subscription in self._subscriptions:
                del self._subscriptions[subscription]
                _remove(self._root, subscription.pattern.split("."), subscription)

    @property
    def patterns(self) -> list[str]:
        """What is subscribed to, sorted."""
        return sorted({each.pattern for each in self._subscriptions})

    def find(self, owner: str, pattern: str) -> Mailbox | None:
        """Give the mailbox of a plugin's subscription to exactly this pattern, if there is one."""
        return next(
            (
                each.mailbox
                for each in self._subscriptions
                if (each.owner, each.pattern) == (owner, pattern)
            ),
            None,
        )


def _find(node: _Node, segments: list[str], at: int = 0) -> Iterator["Subscription"]:
    if at == len(segments):
        yield from node.ending
        return
    yield from node.rest
    for segment in (segments[at], ONE):
        following = node.following.get(segment)
        if following is not None:
            yield from _find(following, segments, at + 1)


def _remove(node: _Node, segments: list[str], subscription: "Subscription") -> None:
    if not segments:
        node.ending.remove(subscription)
    elif segments == [REST]:
        node.rest.remove(subscription)
    else:
        following = node.following[segments[0]]
        _remove(following, segments[1:], subscription)
        if following.is_empty:
            del node.following[segments[0]]
