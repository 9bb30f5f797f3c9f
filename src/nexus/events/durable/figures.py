"""How the log does, for people and for metrics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nexus.events.log.condition import LogCondition

if TYPE_CHECKING:
    from nexus.events.durable.log import DurableLog


def condition_of(log: "DurableLog") -> LogCondition:
    """Say whether a log can be worked with, without asking for it."""
    journal, limit = log.journal, log.settings.size_limit
    return LogCondition(
        trouble=log.told,
        size=log.size,
        limit=limit,
        is_nearly_full=log.size >= limit * log.settings.size_warning,
        is_full=log.size >= limit,
        engine=journal.engine,
        location=journal.location,
        risk=journal.risk,
        lost=log.reach.lost,
    )


def figures_of(log: "DurableLog") -> Mapping[str, float]:
    """Give what the metrics show, by the name of the metric without its prefix."""
    retention, outbox = log.retention, log.outbox
    appended, batches = log.appended
    return {
        "log_events": retention.events,
        "log_bytes": log.size,
        "log_limit_bytes": log.settings.size_limit,
        "appended_total": appended,
        "append_batches_total": batches,
        "refused_acknowledgements_total": log.acknowledgements.refused,
        "dead_letters_total": log.letter_box.buried,
        "dead_letters_evicted_total": log.letter_box.evicted,
        "removed_total": retention.removed,
        "outbox_events": 0 if outbox is None else outbox.waiting,
        "relayed_total": 0 if outbox is None else outbox.relayed,
    }
