"""What a process knows of a subscription whose lease it has taken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a subscription's row says when its lease is taken.

    Attributes:
        id: The row.
        epoch: The number of this holder; a higher one refuses it.
        cursor: Up to this position everything was handled.
        acknowledged: Positions behind it that were handled as well.
        suspect_until: Up to this position, the last holder may have died of an event; 0 if it has
            not died.
    """

    id: int
    epoch: int
    cursor: int
    acknowledged: frozenset[int]
    suspect_until: int
