"""Which key encrypts secrets, as all processes on one database have it.

The name of the key is a row. Whoever stores a secret reads it in the same transaction, which holds
the row, so that from the moment in which a rotation has written a new name nothing is stored under
the former key any longer.
"""

from typing import Final

from nexus.config.secret_box import SecretBox
from nexus.data.kv import MISSING, KeyValueStore

_NAMESPACE: Final = "nexus.secrets"
_KEY: Final = "key"


class KeyAgreement:
    """The name of the key that encrypts.

    Args:
        store: Where it is.
        box: Has the keys of this process.
    """

    def __init__(self, store: KeyValueStore, box: SecretBox) -> None:
        self._store = store
        self._box = box

    async def reach(self) -> None:
        """Have the box encrypt with the key that others encrypt with.

        To be called in a transaction. Where this process has no such key, its own is the one from
        now on: the other one was lost, or belongs to a worker that is set up in another way.
        """
        named = await self.hold()
        if named == self._box.current_id:
            return
        self._box.renew()
        if not self._box.knows(named):
            await self.announce()

    async def hold(self) -> str:
        """Give the name, and keep others from changing it until the transaction ends."""
        named = await self._store.get(_NAMESPACE, _KEY)
        if named is MISSING:  # a row that is not there cannot be held
            await self._store.set_if_absent(_NAMESPACE, _KEY, self._box.current_id)
            named = await self._store.get(_NAMESPACE, _KEY)
        return str(named)

    async def announce(self) -> None:
        """Name the key with which this process encrypts."""
        await self._store.set(_NAMESPACE, _KEY, self._box.current_id)
