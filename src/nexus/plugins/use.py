"""What is being done with a live generation, and how much has been done."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.plugins.generation import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How a generation is used at a moment.

    Attributes:
        in_hand: Whether something is in hand: a request, a stream, a WebSocket, an event, a call
            by way of a `service_ref`, a background task, a run of a scheduled job.
        amount: A number that differs whenever something was done since.
    """

    in_hand: bool
    amount: tuple[int, ...]


def use_of(generation: "Generation") -> Use:
    """Measure how a live generation is used."""
    in_flight, served = generation.traffic
    mailboxes = [each.mailbox for each in generation.events.undrained]
    taken = sum(each.delivered + each.counters.failed for each in mailboxes)
    in_hand = (
        in_flight > 0
        or len(generation.tasks) > 0
        or generation.jobs.are_running
        or any(len(offer.calls) for offer in generation.services.offers)
        or any(not each.quiet for each in mailboxes)
    )
    return Use(
        in_hand=in_hand,
        amount=(generation.number, served, taken, generation.services.asked, generation.jobs.begun),
    )
