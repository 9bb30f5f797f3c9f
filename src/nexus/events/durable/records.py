"""Which durable subscriptions there are in the cluster."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from nexus.data.database import Database
from nexus.data.transaction import Transaction
from nexus.events.durable.dialect import Dialect
from nexus.events.durable.journal import Journal
from nexus.events.durable.letter_box import LetterBox
from nexus.events.log.key import SubscriptionKey
from nexus.events.trie import PatternTrie

_MEMO_LIMIT: Final = 4096

_CHANGE: Final = "UPDATE nexus_event_head SET version = version + 1"
_ADD: Final = (
    "INSERT INTO nexus_event_subscriptions"
    " (plugin, pattern, last_position, acknowledged, epoch, suspect, crashes)"
    " SELECT ?, ?, ?, '', 0, 0, 0 FROM nexus_event_head WHERE NOT EXISTS"
    " (SELECT 1 FROM nexus_event_subscriptions WHERE plugin = ? AND pattern = ?)"
)
_REMOVE: Final = "DELETE FROM nexus_event_subscriptions WHERE plugin = ? AND pattern = ?"


class Records:
    """The rows of `nexus_event_subscriptions`, and which event names they want.

    Args:
        database: Where they are.
        journal: Where the events are.
        letter_box: Has the dead letters that go with them.

    Attributes:
        version: Which state of them this process knows.
    """

    def __init__(self, database: Database, journal: Journal, letter_box: LetterBox) -> None:
        self._database = database
        self._journal = journal
        self._dialect = Dialect.of(database.engine)
        self._letter_box = letter_box
        self._known: dict[SubscriptionKey, int] = {}
        self._of: dict[str, set[SubscriptionKey]] = {}
        self._trie: PatternTrie[SubscriptionKey] = PatternTrie()
        self._wanting: dict[str, tuple[SubscriptionKey, ...]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._turn = asyncio.Lock()
        self._others: list[Callable[[], Awaitable[None]]] = []
        self.version = -1

    def __contains__(self, key: object) -> bool:
        return key in self._known

    @property
    def all(self) -> Collection[SubscriptionKey]:
        """All of them."""
        return self._known.keys()

    def of(self, plugin: str) -> Collection[SubscriptionKey]:
        """Give those of a plugin."""
        return frozenset(self._of.get(plugin, ()))

    def when_changed(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wanting` may give another answer."""
        self._callbacks.append(callback)

    def also_read(self, read: Callable[[], Awaitable[None]]) -> None:
        """Have something read that changes with the same version, before that counts as known."""
        self._others.append(read)

    def wanting(self, name: str) -> tuple[SubscriptionKey, ...]:
        """Give the subscriptions that want events of a name."""
        found = self._wanting.get(name)
        if found is None:
            if len(self._wanting) >= _MEMO_LIMIT:
                self._wanting.clear()
            found = self._wanting[name] = tuple(self._trie.find(name))
        return found

    async def read(self) -> None:
        """Take note of what has changed, by others too."""
        async with self._turn:  # or an older answer might come after a newer one
            # The version first: what changes after it was read makes another one.
            head = await self._database.fetch_one("SELECT version FROM nexus_event_head")
            if head[0] == self.version:
                return
            rows = await self._database.fetch_all(
                "SELECT plugin, pattern, id FROM nexus_event_subscriptions"
            )
            for read in self._others:
                await read()
            self.version = int(head[0])
            self._note({SubscriptionKey(plugin, pattern): row for plugin, pattern, row in rows})

    def _note(self, known: dict[SubscriptionKey, int]) -> None:
        if known == self._known:
            return
        for key in self._known.keys() - known.keys():
            self._trie.remove(key.pattern, key)
            self._of[key.plugin].discard(key)
        for key in known.keys() - self._known.keys():
            self._trie.add(key.pattern, key)
            self._of.setdefault(key.plugin, set()).add(key)
        self._known = known
        self._wanting.clear()
        for callback in self._callbacks:
            callback()

    async def add(self, plugin: str, patterns: Collection[str]) -> bool:
        """Have events kept for a plugin, from this moment on; say whether something was new."""
        await self.read()
        new = [key for each in patterns if (key := SubscriptionKey(plugin, each)) not in self]
        if not new:
            return False
        async with self._database.transaction() as transaction:
            # It locks the head: nobody appends between what it says and the commit.
            await self.change(transaction)
            end = await self._journal.end(transaction)
            for key in new:
                await transaction.execute(self._dialect(_ADD), (*key, end, *key))
        await self.read()
        return True

    async def remove(self, keys: Collection[SubscriptionKey]) -> None:
        """Forget subscriptions with all that waits for them."""
        gone = [key for key in keys if key in self._known]
        if not gone:
            return
        async with self._database.transaction() as transaction:
            await self._remove(transaction, gone)
        await self.read()

    async def _remove(self, transaction: Transaction, keys: Collection[SubscriptionKey]) -> None:
        await self.change(transaction)
        for key in keys:  # letters come last, as with those who store acknowledgments
            await transaction.execute(self._dialect(_REMOVE), key)
            await self._letter_box.forget(transaction, key)

    async def change(self, transaction: Transaction) -> None:
        """Have every process read again what there is, once a transaction has committed."""
        await transaction.execute(_CHANGE)
        await self._journal.tell(transaction)

    async def set_enabled(self, plugins: Mapping[str, bool], now_ns: int) -> None:
        """Note which plugins are enabled, and since when they are not."""
        names = {key.plugin for key in self._known}
        for enabled, value, state in ((True, None, "IS NOT NULL"), (False, now_ns, "IS NULL")):
            rows = [(value, each) for each in names if plugins.get(each) is enabled]
            if rows:
                await self._database.execute_many(
                    self._dialect(
                        "UPDATE nexus_event_subscriptions SET disabled_ns = ?"  # noqa: S608
                        f" WHERE plugin = ? AND disabled_ns {state}"
                    ),
                    rows,
                )
