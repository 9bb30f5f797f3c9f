"""The figures of the whole application, for Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nexus.observability.distribution import Distribution, cumulative

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number under one set of labels."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric with all its samples at this moment.

    Attributes:
        name: By Prometheus' conventions; a counter's without `_total`.
        help: What it means.
        counter: Whether it only ever grows.
        samples: The numbers.
    """

    name: str
    help: str
    counter: bool = False
    samples: Iterable[Sample] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramFamily:
    """A histogram without labels, at this moment.

    Attributes:
        name: By Prometheus' conventions.
        help: What it means.
        distribution: The measurements.
    """

    name: str
    help: str
    distribution: Distribution


FamilySource = Callable[[], Iterable[Family | HistogramFamily]]


class FamilyCollector:
    """Asks its sources when somebody scrapes, so that nothing is kept twice."""

    def __init__(self, sources: Iterable[FamilySource]) -> None:
        self._sources = tuple(sources)

    def describe(self) -> "list[Metric]":
        """Name nothing beforehand; what there is changes with the plugins."""
        return []

    def collect(self) -> "Iterable[Metric]":
        """Turn the families into the client library's."""
        for source in self._sources:
            for family in source():
                if isinstance(family, HistogramFamily):
                    yield _histogram(family)
                else:
                    yield _numbers(family)


def _numbers(family: Family) -> "Metric":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    samples = list(family.samples)
    labels = list(samples[0].labels) if samples else []
    kind = CounterMetricFamily if family.counter else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=labels)
    for sample in samples:
        metric.add_metric([sample.labels[each] for each in labels], sample.value)
    return metric


def _histogram(family: HistogramFamily) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily

    found = family.distribution
    metric = HistogramMetricFamily(family.name, family.help)
    metric.add_metric([], cumulative(found.bounds, found.counts), found.total)
    return metric


def render(registry: "CollectorRegistry") -> bytes:
    """Give the exposition text."""
    from prometheus_client import generate_latest

    return generate_latest(registry)


def content_type() -> str:
    """Give the content type of the exposition text."""
    from prometheus_client import CONTENT_TYPE_LATEST

    return CONTENT_TYPE_LATEST
