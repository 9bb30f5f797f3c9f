"""Which durable subscriptions there are in the cluster."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from nexus.data.database import Database
from nexus.errors import UniqueViolation
from nexus.events.engines.sql.dialect import Dialect
from nexus.events.engines.sql.letter_box import LetterBox
from nexus.events.log.key import SubscriptionKey
from nexus.events.trie import PatternTrie

_MEMO_LIMIT: Final = 4096

_ADD: Final = (
    "INSERT INTO nexus_event_subscriptions"
    " (plugin, pattern, last_position, acknowledged, epoch, suspect, crashes)"
    " SELECT ?, ?, position, '', 0, 0, 0 FROM nexus_event_head WHERE NOT EXISTS"
    " (SELECT 1 FROM nexus_event_subscriptions WHERE plugin = ? AND pattern = ?)"
)
_REMOVE: Final = "DELETE FROM nexus_event_subscriptions WHERE plugin = ? AND pattern = ?"


class Records:
    """The rows of `nexus_event_subscriptions`, and which event names they want.

    Args:
        database: Where they are.
        letter_box: Has the dead letters that go with them.
    """

    def __init__(self, database: Database, letter_box: LetterBox) -> None:
        self._database = database
        self._dialect = Dialect.of(database.engine)
        self._letter_box = letter_box
        self._known: dict[SubscriptionKey, int] = {}
        self._trie: PatternTrie[SubscriptionKey] = PatternTrie()
        self._wanting: dict[str, tuple[SubscriptionKey, ...]] = {}
        self._callbacks: list[Callable[[], None]] = []

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def keys(self) -> Collection[SubscriptionKey]:
        """Give all of them."""
        return self._known.keys()

    def when_changed(self, callback: Callable[[], None]) -> None:
        """Have a function called whenever `wanting` may give another answer."""
        self._callbacks.append(callback)

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
        rows = await self._database.fetch_all(
            "SELECT plugin, pattern, id FROM nexus_event_subscriptions"
        )
        known = {SubscriptionKey(plugin, pattern): number for plugin, pattern, number in rows}
        if known == self._known:
            return
        for key in self._known.keys() - known.keys():
            self._trie.remove(key.pattern, key)
        for key in known.keys() - self._known.keys():
            self._trie.add(key.pattern, key)
        self._known = known
        self._wanting.clear()
        for callback in self._callbacks:
            callback()

    async def add(self, plugin: str, patterns: Collection[str]) -> None:
        """Have events kept for a plugin, from this moment on."""
        new = [SubscriptionKey(plugin, each) for each in patterns]
        if all(key in self._known for key in new):
            return
        for key in new:
            if key not in self._known:
                try:
                    await self._database.execute(self._dialect(_ADD), (*key, *key))
                except UniqueViolation:
                    continue  # another process has just added it
        await self.read()

    async def remove(self, keys: Collection[SubscriptionKey]) -> None:
        """Forget subscriptions with all that waits for them."""
        gone = [key for key in keys if key in self._known]
        if not gone:
            return
        async with self._database.transaction() as transaction:
            for key in gone:
                await transaction.execute(self._dialect(_REMOVE), key)
                await self._letter_box.forget(transaction, key)
        await self.read()

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
