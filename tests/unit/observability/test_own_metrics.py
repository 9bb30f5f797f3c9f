import logging
from typing import Any

import pytest

from nexus.errors import MetricConflict, MetricInvalid
from nexus.observability import bounded_metrics
from nexus.observability.own_metrics import OwnMetrics


def values(metrics: OwnMetrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_the_three_kinds_count_under_the_plugins_name() -> None:
    metrics = OwnMetrics("shop")
    metrics.counter("orders", "Orders placed.", ["kind"]).labels(kind="gift").inc(2)
    metrics.gauge("stock", "Articles on the shelf.").set(7)
    metrics.histogram("pick_seconds", "Time to pick.", buckets=[1, 5]).observe(3)
    assert values(metrics) == {
        ("plugin_shop_orders_total", "gift"): 2,
        ("plugin_shop_stock",): 7,
        ("plugin_shop_pick_seconds_bucket", "1.0"): 0,
        ("plugin_shop_pick_seconds_bucket", "5.0"): 1,
        ("plugin_shop_pick_seconds_bucket", "+Inf"): 1,
        ("plugin_shop_pick_seconds_count",): 1,
        ("plugin_shop_pick_seconds_sum",): 3,
    }


def test_asking_again_gives_the_same_metric() -> None:
    metrics = OwnMetrics("shop")
    first = metrics.counter("orders_total", "Orders placed.", ["kind"])
    assert metrics.counter("orders", "Orders placed.", ["kind"]) is first


@pytest.mark.parametrize(("kind", "labels"), [("gauge", ["kind"]), ("counter", [])])
def test_one_name_is_one_metric(kind: str, labels: list[str]) -> None:
    metrics = OwnMetrics("shop")
    metrics.counter("orders", "Orders placed.", ["kind"])
    with pytest.raises(MetricConflict, match=r"as a counter with the labels kind, and asks for"):
        getattr(metrics, kind)("orders", "Orders.", labels)


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        ("counter", "Orders", []),
        ("counter", "orders-placed", []),
        ("counter", "_orders", []),
        ("gauge", "stock_total", []),
        ("histogram", "wait_total", []),
        ("counter", "orders", ["plugin"]),
        ("counter", "orders", ["le"]),
        ("counter", "orders", ["Kind"]),
        ("counter", "orders", "kind"),
    ],
)
def test_a_metric_that_breaks_the_conventions_is_refused(kind: str, name: str, labels: Any) -> None:
    with pytest.raises(MetricInvalid, match="cannot have the metric"):
        getattr(OwnMetrics("shop"), kind)(name, "Help.", labels)


def test_label_values_without_end_share_a_series(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bounded_metrics, "SERIES_LIMIT", 2)
    metrics = OwnMetrics("shop")
    counter = metrics.counter("orders", "Orders placed.", ["user", "kind"])
    with caplog.at_level(logging.WARNING):
        for user in ("ann", "bob", "cem", "dan"):
            counter.labels(user=user, kind="gift").inc()
        counter.labels("ann", "gift").inc()
        counter.labels("eva", "gift").inc()
    assert values(metrics) == {
        ("plugin_shop_orders_total", "ann", "gift"): 2,
        ("plugin_shop_orders_total", "bob", "gift"): 1,
        ("plugin_shop_orders_total", "other", "other"): 3,
    }
    assert len(caplog.records) == 1
