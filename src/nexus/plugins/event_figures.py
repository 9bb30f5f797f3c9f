"""The figures of events, as metric families: the bus, the event log, and who is behind."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from nexus.events import EventBus
from nexus.events.log import EventLog, Lag
from nexus.observability.metrics import Family, Sample
from nexus.observability.watched import Watched

_LAG_SECONDS: Final = 5.0
"""How long a measurement of the lag is good: it counts what waits."""

_BY_SUBSCRIPTION: Final = (
    ("depth", "nexus_events_waiting", "Events that wait in a mailbox.", False),
    ("in_hand", "nexus_events_in_hand", "Events that are being handled.", False),
    ("delivered", "nexus_events_handled", "Events handled.", True),
    ("failed", "nexus_events_failed", "Attempts that failed.", True),
    ("retried", "nexus_events_retried", "Attempts that were repetitions.", True),
    ("timed_out", "nexus_events_timed_out", "Attempts that took too long.", True),
    ("dead_lettered", "nexus_events_dead_lettered", "Events that were set aside.", True),
)

_OF_LOG: Final = (
    ("log_events", "events", "Events in the event log.", False),
    ("log_bytes", "bytes", "Size of the event log.", False),
    ("log_limit_bytes", "limit_bytes", "Size at which publishing fails.", False),
    (
        "outbox_events",
        "outbox_events",
        "Events of committed transactions that this process has to take to NATS or Redis.",
        False,
    ),
    (
        "relayed_total",
        "relayed",
        "Events that it has taken there.",
        True,
    ),
    ("appended_total", "appended", "Events that this process has put into the log.", True),
    ("append_batches_total", "append_batches", "Writes in which it did so.", True),
    ("removed_total", "removed", "Events that this process has removed as old or too many.", True),
    (
        "refused_acknowledgements_total",
        "refused_acknowledgements",
        "Acknowledgments refused since another process had the subscription.",
        True,
    ),
    ("dead_letters_total", "dead_lettered", "Dead letters that this process has made.", True),
    (
        "dead_letters_evicted_total",
        "dead_letters_evicted",
        "Dead letters that had to make room for newer ones.",
        True,
    ),
)
"""Every figure that a log may have: its name there and here, its meaning, whether it only grows."""

_OF_LAG: Final[tuple[tuple[str, str, Callable[[Lag], float]], ...]] = (
    (
        "waiting",
        "Events of the log that wait for the subscription or are in hand.",
        lambda lag: lag.waiting,
    ),
    ("oldest_seconds", "Seconds since the oldest of them was published.", lambda lag: lag.oldest),
    ("dead_letters", "Dead letters that are kept.", lambda lag: lag.dead),
    ("bytes", "Size of what the log keeps for the subscription.", lambda lag: lag.size),
)


def event_figures(bus: EventBus) -> Callable[[], Iterator[Family]]:
    """Make a source of the bus's and its subscriptions' figures."""

    def families() -> Iterator[Family]:
        figures = bus.figures()
        yield Family(
            name="nexus_events_published",
            help="Events published.",
            counter=True,
            samples=[Sample(value=figures.published)],
        )
        yield Family(
            name="nexus_events_dead_letters",
            help="Dead letters that are kept in memory.",
            samples=[Sample(value=figures.dead_letters)],
        )
        for attribute, name, help_, counter in _BY_SUBSCRIPTION:
            # One pattern may have several handlers; their figures are one series.
            sums: Counter[tuple[str, str]] = Counter()
            for each in figures.subscriptions:
                sums[each.owner, each.pattern] += getattr(each, attribute)
            samples = [
                Sample(value=value, labels={"plugin": owner, "subscription": pattern})
                for (owner, pattern), value in sums.items()
            ]
            yield Family(name=name, help=help_, counter=counter, samples=samples)

    return families


def log_figures(log: EventLog) -> Callable[[], Iterator[Family]]:
    """Make a source of the event log's figures, those that its engine has."""

    def families() -> Iterator[Family]:
        yield Family(
            name="nexus_event_log_up",
            help="1 while the event log can be worked with, 0 while it cannot.",
            samples=[Sample(value=float(not log.condition.trouble))],
        )
        figures = log.figures()
        for key, name, help_, counter in _OF_LOG:
            if key in figures:
                yield Family(
                    name=f"nexus_event_log_{name}",
                    help=help_,
                    counter=counter,
                    samples=[Sample(value=figures[key])],
                )

    return families


def lag_watch(bus: EventBus) -> Watched[Sequence[Lag]]:
    """Make what measures how far durable subscriptions are behind."""

    async def measure() -> Sequence[Lag]:
        return () if bus.durable is None else await bus.durable.log.lag()

    return Watched(measure, seconds=_LAG_SECONDS, name="nexus.events.lag")


def lag_figures(lags: Watched[Sequence[Lag]]) -> Callable[[], Iterator[Family]]:
    """Make a source of how far durable subscriptions are behind, as it was measured last."""

    def families() -> Iterator[Family]:
        measured = lags.last or ()  # nothing rather than what was, where it cannot be measured
        for name, help_, figure in _OF_LAG:
            samples = [
                Sample(
                    value=figure(each),
                    labels={"plugin": each.key.plugin, "subscription": each.key.pattern},
                )
                for each in measured
            ]
            yield Family(name=f"nexus_event_subscription_{name}", help=help_, samples=samples)

    return families
