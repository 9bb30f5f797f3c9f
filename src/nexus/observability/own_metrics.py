"""The metrics that a plugin keeps of its own work: `self.metrics`."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal

from nexus.errors import MetricConflict, MetricInvalid

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram
    from prometheus_client.metrics import MetricWrapperBase
    from prometheus_client.metrics_core import Metric

Kind = Literal["counter", "gauge", "histogram"]

PREFIX: Final = "plugin_"
"""Begins the names of plugins' metrics, so that none can be one of the platform's."""

DEFAULT_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),  # made for seconds
)

_is_name = re.compile(r"[a-z][a-z0-9_]*").fullmatch
_RESERVED: Final = frozenset({"plugin", "le", "quantile"})


class OwnMetrics:
    """Makes metrics of one generation of a plugin; they go with it.

    Asking twice for the same metric gives the same one, so that a handler may ask each time.

    Args:
        plugin: The plugin's name.
    """

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._made: dict[str, MetricWrapperBase] = {}

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> "Counter":  # noqa: A002
        """Give a counter, which only grows: `counter.inc()`.

        Args:
            name: In snake case, with the unit at its end; `orders` is exported as
                `plugin_<plugin>_orders_total`.
            help: What it counts, in a sentence.
            labels: The names of its labels; `counter.labels(kind="gift").inc()`.

        Raises:
            MetricInvalid: A name is none, or a label's name is reserved.
            MetricConflict: There is a metric of this name and of another kind or other labels.
        """
        from nexus.observability.bounded_metrics import BoundedCounter

        name = name.removesuffix("_total")
        found = self._find("counter", name, labels)
        made = found or BoundedCounter(self._full(name), help, labels, registry=None)
        return self._keep(name, made)  # type: ignore[return-value] # _find has looked at the kind

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> "Gauge":  # noqa: A002
        """Give a gauge, which goes up and down: `gauge.set(3)`.

        Args and errors are as for `counter`.
        """
        from nexus.observability.bounded_metrics import BoundedGauge

        found = self._find("gauge", name, labels)
        made = found or BoundedGauge(self._full(name), help, labels, registry=None)
        return self._keep(name, made)  # type: ignore[return-value] # _find has looked at the kind

    def histogram(
        self,
        name: str,
        help: str,  # noqa: A002
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = DEFAULT_BUCKETS,
    ) -> "Histogram":
        """Give a histogram: `histogram.observe(0.3)`, or `with histogram.time():`.

        Args and errors are as for `counter`.

        Args:
            name: As for `counter`.
            help: As for `counter`.
            labels: As for `counter`.
            buckets: The upper bounds, rising, in the unit that the name ends with.
        """
        from nexus.observability.bounded_metrics import BoundedHistogram

        found = self._find("histogram", name, labels)
        made = found or BoundedHistogram(
            self._full(name), help, labels, registry=None, buckets=buckets
        )
        return self._keep(name, made)  # type: ignore[return-value] # _find has looked at the kind

    def collect(self) -> "Iterable[Metric]":
        """Give what they say now, by their full names."""
        for made in tuple(self._made.values()):
            yield from made.collect()

    def _full(self, name: str) -> str:
        return f"{PREFIX}{self._plugin}_{name}"

    def _keep(self, name: str, made: "MetricWrapperBase") -> "MetricWrapperBase":
        return self._made.setdefault(name, made)

    def _find(self, kind: Kind, name: str, labels: Sequence[str]) -> "MetricWrapperBase | None":
        problem = _problem(kind, name, labels)
        if problem:
            raise MetricInvalid(plugin=self._plugin, name=name, problem=problem)
        found = self._made.get(name)
        if found is None:
            return None
        before = (str(found._type), tuple(found._labelnames))  # noqa: SLF001 # it has no other way
        if before != (kind, tuple(labels)):
            raise MetricConflict(
                plugin=self._plugin, name=name, before=before, now=(kind, tuple(labels))
            )
        return found


def _problem(kind: Kind, name: str, labels: Sequence[str]) -> str:
    if isinstance(labels, str):
        return f"its labels are the text {labels!r} where a list of names was expected"
    if not _is_name(name):
        return "its name is not in snake case, such as orders or queue_wait_seconds"
    if kind != "counter" and name.endswith("_total"):
        return f"'_total' is the end of counters, and it is a {kind}"
    bad = [each for each in labels if not _is_name(each) or each in _RESERVED]
    return f"it cannot have the label {bad[0]!r}" if bad else ""
