"""Which mailboxes an event name leads to.

Patterns stand in a trie of segments. What it finds for a name is remembered, so that the usual
publication costs one look-up in a dictionary; the memory is dropped when a subscription comes or
goes, and is bounded, since names may come from outside.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from nexus.errors import BusNotRunning
from nexus.events.mailbox import Mailbox
from nexus.events.pattern import check_name
from nexus.events.trie import PatternTrie

if TYPE_CHECKING:
    from nexus.events.subscription import Subscription

MEMO_LIMIT = 4096
"""How many names are remembered."""


class LoggedRoute(tuple[Mailbox, ...]):  # noqa: SLOT001 - a tuple of any length has no slots
    """The mailboxes that an event goes to by memory, when others want it from the log.

    Attributes:
        everything: They and those that have it from the log.
    """

    everything: tuple[Mailbox, ...]


class Routes(dict[str, tuple[Mailbox, ...]]):
    """A dictionary from names to mailboxes that fills itself.

    `routes[name]` gives the mailboxes by falling priority, then in the order of attachment, and a
    `LoggedRoute` where a durable subscription wants the event. It raises EventNameInvalid for what
    is no name, and BusNotRunning while it is not open; a name that it remembers is past both tests.

    Args:
        is_logged: Says whether a durable subscription wants events of a name.

    Attributes:
        open: Whether names are looked up.
    """

    __slots__ = ("_is_logged", "_subscriptions", "_trie", "open")

    def __init__(self, is_logged: Callable[[str], bool] = lambda _name: False) -> None:
        super().__init__()
        self.open = False
        self._is_logged = is_logged
        self._trie: PatternTrie[Subscription] = PatternTrie()
        self._subscriptions: dict[Subscription, None] = {}

    def __missing__(self, name: str) -> tuple[Mailbox, ...]:
        check_name(name)
        if not self.open:
            raise BusNotRunning(operation=f"publishing {name!r}")
        if len(self) >= MEMO_LIMIT:
            self.clear()
        found = sorted(self._trie.find(name), key=lambda each: each.rank)
        mailboxes = tuple(each.mailbox for each in found)
        if self._is_logged(name):
            route = LoggedRoute(each for each in mailboxes if not each.has_from_log(name))
            route.everything = mailboxes
            mailboxes = route
        self[name] = mailboxes
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
                self._trie.add(subscription.pattern, subscription)

    def remove(self, subscriptions: Iterable["Subscription"]) -> None:
        """Let the subscriptions have no more events."""
        self.clear()
        for subscription in subscriptions:
            if subscription in self._subscriptions:
                del self._subscriptions[subscription]
                self._trie.remove(subscription.pattern, subscription)

    @property
    def patterns(self) -> list[str]:
        """What is subscribed to, sorted."""
        return sorted({each.pattern for each in self._subscriptions})

    def provider(self, name: str) -> Mailbox | None:
        """Give the first mailbox whose pattern is exactly this name, which answers requests.

        Raises:
            BusNotRunning: It is not open.
            EventNameInvalid: The name is none.
        """
        route = self[name]
        candidates = route.everything if type(route) is LoggedRoute else route
        return next((each for each in candidates if each.pattern == name), None)

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
