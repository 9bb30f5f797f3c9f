"""What plugins measure of their own work, for Prometheus.

It lives as long as the generation that measures it: a scrape asks those that are live.
"""

import logging
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from nexus.observability.own_metrics import PREFIX
from nexus.plugins.generation import Generation
from nexus.plugins.manager import PluginManager

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

logger = logging.getLogger(__name__)

_FRESH_SECONDS: Final = 1.0
"""Scrapes are open to everybody, and so plugins' code is not asked at each of them."""

_MOST: Final = 100
"""So many figures of one plugin are exported."""

_is_name = re.compile(r"[a-z][a-z0-9_]*").fullmatch


class OwnFigures:
    """Exports `self.metrics` and `get_metrics()` of the plugins that run.

    Args:
        manager: The plugins.
    """

    def __init__(self, manager: PluginManager) -> None:
        self._manager = manager
        # Weak, or what was replaced would stay in memory until the next scrape.
        self._figures: WeakKeyDictionary[Generation, tuple[float, Mapping[str, float]]]
        self._figures = WeakKeyDictionary()
        self._clashes: set[str] = set()

    def describe(self) -> "list[Metric]":
        """Name nothing beforehand; what there is changes with the plugins."""
        return []

    def collect(self) -> "Iterator[Metric]":
        """Give the families, each with what all plugins have of it."""
        from prometheus_client.core import GaugeMetricFamily

        found: dict[str, Metric] = {}
        failed = GaugeMetricFamily(
            "nexus_plugin_metrics_failed",
            "1 while what the plugin measures itself cannot be had.",
            labels=["plugin"],
        )
        live = [each.live for each in self._manager.controllers() if each.live is not None]
        for generation in live:
            try:
                families = [*_of_metrics(generation), *self._of_hook(generation)]
            except Exception as error:  # noqa: BLE001 # the border of plugin code
                failed.add_metric([generation.plugin], 1.0)
                logger.debug(
                    "What a plugin measures cannot be had",
                    extra={"plugin": generation.plugin, "reason": str(error)},
                )
                continue
            failed.add_metric([generation.plugin], 0.0)
            for family in families:
                self._add(found, family, generation.plugin)
        yield failed
        yield from found.values()

    def _add(self, found: "dict[str, Metric]", family: "Metric", plugin: str) -> None:
        """Put a plugin's part of a family to those of others, whose names may come out the same."""
        known = found.setdefault(family.name, family)
        if known is family:
            return
        if known.type == family.type:
            known.samples.extend(family.samples)
        elif family.name not in self._clashes:
            self._clashes.add(family.name)
            logger.warning(
                "A metric is not exported, since another plugin's of the same name is of another"
                " kind",
                extra={"plugin": plugin, "metric": family.name},
            )

    def _of_hook(self, generation: Generation) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        figures = self._asked(generation)
        names = [each for each in figures if _is_name(each)][:_MOST]
        declared = {each.name for each in generation.own_metrics.collect()}
        for name in names:
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(
                f"{PREFIX}{generation.plugin}_{name}",
                "What get_metrics() gives.",
                labels=["plugin"],
            )
            if family.name not in declared:
                family.add_metric([generation.plugin], figures[name])
                yield family

    def _asked(self, generation: Generation) -> Mapping[str, float]:
        now = time.monotonic()
        known = self._figures.get(generation)
        if known is None or now - known[0] > _FRESH_SECONDS:
            known = self._figures[generation] = (now, generation.hosted.own_figures())
        return known[1]


def _of_metrics(generation: Generation) -> "Iterator[Metric]":
    from prometheus_client.metrics_core import Metric

    for metric in generation.own_metrics.collect():
        family = Metric(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                labels = {"plugin": generation.plugin, **sample.labels}
                family.add_sample(sample.name, labels, sample.value)
        yield family
