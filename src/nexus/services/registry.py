"""Which services are live, and whose they are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from nexus.errors import ServiceAmbiguous, ServiceConflict, ServiceNotFound
from nexus.services.calls import CallsInHand
from nexus.services.protocols import fits, members_of
from nexus.services.reference import ServiceReference
from nexus.services.sleeping import Nobody, SleepingProviders


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One service of one generation.

    Attributes:
        name: What it is looked up by.
        service: The object itself.
        owner: The plugin that offers it.
        generation: The number of the plugin's generation.
        calls: Those of its calls by way of a reference that have not ended.
    """

    name: str
    service: Any
    owner: str
    generation: int
    calls: CallsInHand = field(default_factory=CallsInHand, compare=False, repr=False)


class ServiceRegistry:
    """The live services of an application.

    Attributes:
        sleeping: Those that are offered when they are used for the first time.
    """

    def __init__(self) -> None:
        self.sleeping: SleepingProviders = Nobody()
        self._live: dict[str, Offer] = {}
        self._asked: Counter[str] = Counter()
        # Weak, since the Protocol may be a class of a plugin that is replaced.
        self._by_protocol: WeakKeyDictionary[type[Any], Offer | None] = WeakKeyDictionary()

    def check(self, offer: Offer) -> None:
        """Refuse an offer whose name another plugin holds.

        Raises:
            ServiceConflict: A live service of this name belongs to another plugin.
        """
        holder = self._live.get(offer.name)
        if holder is not None and holder.owner != offer.owner:
            raise ServiceConflict(name=offer.name, owner=holder.owner, rival=offer.owner)

    def replace(self, old: Iterable[Offer], new: Sequence[Offer]) -> None:
        """Take `old` away and put `new` in its place, in one step or not at all.

        Raises:
            ServiceConflict: As `check` does; then nothing has changed.
        """
        for offer in new:
            self.check(offer)
        for offer in old:
            if self._live.get(offer.name) is offer:
                del self._live[offer.name]
                del self._asked[offer.name]
        for offer in new:
            self._live[offer.name] = offer
        self._by_protocol.clear()

    def offer(self, wanted: str | type[Any]) -> Offer | None:
        """Give the live offer of this name or Protocol, or None.

        Raises:
            ServiceAmbiguous: More than one live service fits the Protocol.
            TypeError: `wanted` is a class, but no Protocol.
        """
        offer = self._live.get(wanted) if isinstance(wanted, str) else self._fitting(wanted)
        if offer is not None:
            self._asked[offer.name] += 1
        return offer

    def asked(self, name: str) -> int:
        """Tell how often a live service has been looked up."""
        return self._asked[name]

    def find(self, wanted: str | type[Any]) -> Any:
        """Give the live service of this name or Protocol, or None; raises as `offer`."""
        offer = self.offer(wanted)
        return None if offer is None else offer.service

    def require_offer(self, wanted: str | type[Any]) -> Offer:
        """Give the live offer of this name or Protocol.

        Raises:
            ServiceNotFound: Nobody offers it.
            ServiceAmbiguous: More than one live service fits the Protocol.
        """
        offer = self.offer(wanted)
        if offer is None:
            name = wanted if isinstance(wanted, str) else wanted.__qualname__
            raise ServiceNotFound(name=name, offered=tuple(self._live))
        return offer

    def require(self, wanted: str | type[Any]) -> Any:
        """Give the live service of this name or Protocol; raises as `require_offer`."""
        return self.require_offer(wanted).service

    def is_live(self, offer: Offer) -> bool:
        """Tell whether this very offer is what its name gives now."""
        return self._live.get(offer.name) is offer

    def holder(self, name: str) -> Offer | None:
        """Give the live offer of this name, or None; counts as no use of it."""
        return self._live.get(name)

    def reference(self, name: str) -> ServiceReference:
        """Give a handle that stays valid across swaps of the provider."""
        return ServiceReference(name, self.offer, self.require_offer)

    def offers(self) -> tuple[Offer, ...]:
        """Give every live offer, sorted by name."""
        return tuple(self._live[name] for name in sorted(self._live))

    def _fitting(self, protocol: type[Any]) -> Offer | None:
        if protocol in self._by_protocol:
            return self._by_protocol[protocol]
        members = members_of(protocol)
        found = [offer for offer in self.offers() if fits(offer.service, members)]
        if len({id(offer.service) for offer in found}) > 1:
            raise ServiceAmbiguous(
                protocol=protocol.__qualname__, names=tuple(offer.name for offer in found)
            )
        self._by_protocol[protocol] = found[0] if found else None
        return self._by_protocol[protocol]
