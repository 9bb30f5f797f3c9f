"""Two scrapes of an application's metrics, and what has happened between them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isinf
from typing import Any, Final, Self

Labels = frozenset[tuple[str, str]]
_SERVER_ERROR: Final = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one scrape said, and when.

    Attributes:
        at: Seconds on the monotonic clock.
        series: The values, by name and labels.
    """

    at: float
    series: Mapping[str, Mapping[Labels, float]]

    @classmethod
    def of(cls, text: str, at: float) -> Self:
        """Read an exposition text.

        Raises:
            ValueError: It is none.
        """
        from prometheus_client.parser import text_string_to_metric_families

        series: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series[sample.name][frozenset(sample.labels.items())] = sample.value
        return cls(at=at, series=series)

    def total(self, name: str, **labels: str) -> float:
        """Give the sum of all series of a name that have these labels."""
        return sum(self._of(name, labels).values())

    def greatest(self, name: str, **labels: str) -> float:
        """Give the greatest of them, 0 where there is none."""
        return max(self._of(name, labels).values(), default=0.0)

    def values(self, name: str, label: str) -> set[str]:
        """Give the values that a label has in the series of a name."""
        return {dict(each).get(label, "") for each in self.series.get(name, {})}

    def _of(self, name: str, labels: Mapping[str, str]) -> Mapping[Labels, float]:
        wanted = labels.items()
        found = self.series.get(name, {})
        return {each: value for each, value in found.items() if wanted <= dict(each).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRow:
    """How one plugin did between two scrapes; rates are per second, times in seconds.

    Attributes:
        name: The plugin.
        state: Its state now.
        requests: Requests answered.
        errors: Those with a status of 500 and above.
        median: Half of the requests took no longer; None without requests.
        slowest: 99 of 100 took no longer; None without requests.
        handled: Events handled.
        failed: Attempts to handle one that failed.
        waiting: Events that wait now, in mailboxes and in the log.
        oldest: How long the oldest of the log has waited.
        restarts: How often the plugin and its tasks were started again, since the process began.
    """

    name: str
    state: str
    requests: float
    errors: float
    median: float | None
    slowest: float | None
    handled: float
    failed: float
    waiting: float
    oldest: float
    restarts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How an application did between two scrapes.

    Attributes:
        version: What runs.
        workers: How many processes were asked, and how many of them have answered.
        requests: Requests answered, per second.
        in_flight: Requests being served now.
        published: Events published, per second.
        loop_lag: 99 of 100 times the event loop was no later, in seconds; of the worst worker.
        memory: Bytes that the processes hold.
        pool_waiting: Callers that wait for a connection to the database.
        states: The number of plugins by state.
        plugins: Each plugin, those in trouble first, then the busiest.
    """

    version: str
    workers: tuple[int, int]
    requests: float
    in_flight: float
    published: float
    loop_lag: float | None
    memory: float
    pool_waiting: float
    states: Mapping[str, int]
    plugins: list[PluginRow] = field(default_factory=list)


class Between:
    """What has happened between two scrapes.

    Args:
        before: The earlier one.
        now: The later one.
    """

    def __init__(self, before: Snapshot, now: Snapshot) -> None:
        self._before = before
        self._now = now
        self._seconds = max(now.at - before.at, 1e-9)

    def figures(self) -> Figures:
        """Give all of it."""
        now = self._now
        states = self._states()
        rows = [self._row(name, state) for name, state in states.items()]
        counts: defaultdict[str, int] = defaultdict(int)
        for state in states.values():
            counts[state] += 1
        workers = now.series.get("nexus_worker_up", {})
        return Figures(
            version=next(iter(now.values("nexus_build_info", "version")), ""),
            workers=(len(workers), int(sum(workers.values()))) if workers else (1, 1),
            requests=self._rate("nexus_http_requests_total"),
            in_flight=now.total("nexus_http_requests_in_flight"),
            published=self._rate("nexus_events_published_total"),
            loop_lag=self._worst_lag(),
            memory=now.total("process_resident_memory_bytes"),
            pool_waiting=now.total("nexus_database_pool_waiting"),
            states=dict(sorted(counts.items())),
            plugins=sorted(rows, key=_urgency),
        )

    def _states(self) -> dict[str, str]:
        """Give each plugin's state; where workers differ, one that is not running."""
        found: dict[str, str] = {}
        for each in self._now.series.get("nexus_plugin_state", {}):
            labels = dict(each)
            if found.get(labels["plugin"], "running") == "running":
                found[labels["plugin"]] = labels["state"]
        return found

    def _row(self, name: str, state: str) -> PluginRow:
        now = self._now
        duration = "nexus_http_request_duration_seconds"
        return PluginRow(
            name=name,
            state=state,
            requests=self._rate("nexus_http_requests_total", plugin=name),
            errors=self._rate("nexus_http_requests_total", _is_server_error, plugin=name),
            median=self._quantile(duration, 0.5, plugin=name),
            slowest=self._quantile(duration, 0.99, plugin=name),
            handled=self._rate("nexus_events_handled_total", plugin=name),
            failed=self._rate("nexus_events_failed_total", plugin=name),
            # The log counts once for all workers, so their figures must not be added up.
            waiting=max(
                now.total("nexus_events_waiting", plugin=name),
                self._in_log("nexus_event_subscription_waiting", name),
            ),
            oldest=now.greatest("nexus_event_subscription_oldest_seconds", plugin=name),
            restarts=now.total("nexus_plugin_restarts_total", plugin=name)
            + now.total("nexus_plugin_task_restarts_total", plugin=name),
        )

    def _in_log(self, name: str, plugin: str) -> float:
        wanted = self._now.values(name, "subscription")
        return sum(self._now.greatest(name, plugin=plugin, subscription=each) for each in wanted)

    def _rate(
        self, name: str, wanted: Callable[[Mapping[str, str]], bool] | None = None, **labels: str
    ) -> float:
        growth = self._growth(name, labels)
        kept = [value for each, value in growth.items() if wanted is None or wanted(dict(each))]
        return sum(kept) / self._seconds

    def _growth(self, name: str, labels: Mapping[str, str]) -> dict[Labels, float]:
        """Give by how much each counter has grown; one that has begun anew, by all it has."""
        earlier = self._before.series.get(name, {})
        grown = {}
        for each, value in self._now.series.get(name, {}).items():
            if labels.items() <= dict(each).items():
                before = earlier.get(each, 0.0)
                grown[each] = value - before if value >= before else value
        return grown

    def _quantile(self, name: str, share: float, **labels: str) -> float | None:
        buckets: defaultdict[float, float] = defaultdict(float)
        for each, value in self._growth(f"{name}_bucket", labels).items():
            buckets[float(dict(each)["le"])] += value
        return quantile(sorted(buckets.items()), share)

    def _worst_lag(self) -> float | None:
        name = "nexus_event_loop_lag_seconds"
        workers = self._now.values(f"{name}_count", "worker")
        found = [
            self._quantile(name, 0.99, **({"worker": each} if each else {})) for each in workers
        ]
        return max((each for each in found if each is not None), default=None)


def quantile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """Estimate a quantile of a histogram, in the way of Prometheus' `histogram_quantile`.

    Args:
        buckets: Upper bounds, rising to infinity, each with the number of all that is below it.
        share: Which part is below what is sought, from 0 to 1.
    """
    if not buckets or not buckets[-1][1]:
        return None
    rank = share * buckets[-1][1]
    lower, below = 0.0, 0.0
    for bound, number in buckets:
        if number >= rank and number > below:
            if isinf(bound):
                return lower
            return lower + (bound - lower) * (rank - below) / (number - below)
        lower, below = bound, number
    return lower


def _is_server_error(labels: Mapping[str, str]) -> bool:
    return labels.get("status", "").startswith(_SERVER_ERROR)


_CALM: Final = frozenset({"running", "disabled", "dormant", "stopped"})


def _urgency(row: PluginRow) -> tuple[Any, ...]:
    in_trouble = row.state not in _CALM
    return (not in_trouble, -(row.errors or 0), -(row.requests + row.handled), row.name)
