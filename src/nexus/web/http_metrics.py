"""What was asked over HTTP, counted.

Looking up a labelled child of the Prometheus client costs more than the rest of the bookkeeping of
a request together. So each plugin has a plain record here, which a request reaches without a
look-up, and a collector turns the records into metric families when somebody scrapes.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from nexus.observability.distribution import cumulative

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import CollectorRegistry

PLATFORM = "nexus"
"""The label of requests that no plugin served; no plugin can have this name."""

DURATION_BOUNDS = (*(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),)
"""Upper bounds of the duration histogram in seconds; one more bucket takes what is longer."""

UNMATCHED = "unmatched"
"""The label of requests that no route was found for."""

OTHER_ROUTES = "other"
"""The label of routes beyond the limit; no template is this, since each begins with a slash."""

ROUTE_LIMIT = 1000
"""A plugin's route templates beyond these share one series."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class RouteSeries:
    """The counts of one route template.

    Attributes:
        requests: The number of requests by (method, HTTP status).
        buckets: The number of requests by duration, one entry for each bound and one above.
        seconds: The sum of all durations.
    """

    __slots__ = ("buckets", "requests", "seconds")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        self.buckets = [0] * (len(DURATION_BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, method: str, status: int, seconds: float) -> None:
        """Count one finished request."""
        key = (method, status)
        requests = self.requests
        if key in requests:
            requests[key] += 1
        else:
            # A method is the caller's text: only known ones may make a series of their own.
            key = (method if method in _METHODS else "OTHER", status)
            requests[key] = requests.get(key, 0) + 1
        self.buckets[bisect_left(DURATION_BOUNDS, seconds)] += 1
        self.seconds += seconds


class HttpSeries:
    """The counts of one plugin, by route template.

    Attributes:
        routes: The counts of each template, such as `/plugins/shop/items/{item_id}`.
        answered: How many requests have been answered in all.
    """

    __slots__ = ("answered", "routes")

    def __init__(self) -> None:
        self.routes: dict[str, RouteSeries] = {}
        self.answered = 0

    @property
    def requests(self) -> Counter[tuple[str, int]]:
        """The number of requests of all routes by (method, HTTP status)."""
        total: Counter[tuple[str, int]] = Counter()
        for each in self.routes.values():
            total.update(each.requests)
        return total

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one finished request.

        Args:
            route: The template of the route that served it; empty when none did.
            method: The HTTP method.
            status: The HTTP status.
            seconds: How long it took.
        """
        self.answered += 1
        (self.routes.get(route) or self._begin(route)).observe(method, status, seconds)

    def keep_only(self, templates: Container[str]) -> None:
        """Drop the counts of routes that are there no longer."""
        for gone in [each for each in self.routes if each not in templates]:
            if gone not in (UNMATCHED, OTHER_ROUTES):
                del self.routes[gone]

    def _begin(self, route: str) -> RouteSeries:
        if not route:
            route = UNMATCHED
        elif len(self.routes) >= ROUTE_LIMIT:
            route = OTHER_ROUTES
        return self.routes.setdefault(route, RouteSeries())


class HttpMetrics:
    """The counts of all plugins and of the platform.

    Attributes:
        platform: The series of requests that no plugin served.
        in_flight: How many HTTP requests are being served now.
    """

    def __init__(self) -> None:
        self.platform = HttpSeries()
        self.in_flight = 0
        self._plugins: dict[str, HttpSeries] = {}

    def series(self, plugin: str) -> HttpSeries:
        """Give the plugin's series, which lives on across its generations."""
        return self._plugins.setdefault(plugin, HttpSeries())

    def forget(self, plugin: str) -> None:
        """Drop the series of a plugin that is gone for good."""
        self._plugins.pop(plugin, None)

    def register(self, registry: "CollectorRegistry") -> None:
        """Have the registry export these counts."""
        registry.register(HttpCollector(self))

    def all_series(self) -> list[tuple[str, HttpSeries]]:
        """Give every series with its label, the platform's first."""
        return [(PLATFORM, self.platform), *sorted(self._plugins.items())]


class HttpCollector:
    """Turns the counts into Prometheus metric families at the time of a scrape."""

    def __init__(self, metrics: HttpMetrics) -> None:
        self._metrics = metrics

    def describe(self) -> "list[Metric]":
        """Say that nothing is known ahead, so that registration does not collect."""
        return []

    def collect(self) -> "Iterator[Metric]":
        """Give the metric families."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        requests = CounterMetricFamily(
            "nexus_http_requests",
            "HTTP requests answered; status 499 means that the client went away first.",
            labels=("plugin", "route", "method", "status"),
        )
        durations = HistogramMetricFamily(
            "nexus_http_request_duration_seconds",
            "Time from the arrival of a request to the end of its response.",
            labels=("plugin", "route"),
        )
        for plugin, series in self._metrics.all_series():
            for route, each in sorted(series.routes.items()):
                for (method, status), number in each.requests.items():
                    requests.add_metric((plugin, route, method, str(status)), number)
                buckets = cumulative(DURATION_BOUNDS, each.buckets)
                durations.add_metric((plugin, route), buckets, each.seconds)
        yield requests
        yield durations
        yield GaugeMetricFamily(
            "nexus_http_requests_in_flight",
            "HTTP requests being served now.",
            value=self._metrics.in_flight,
        )
