"""What `/metrics` says, by the conventions of Prometheus and of what plugins add themselves."""

import re
from collections import Counter
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import override

from nexus import BasePlugin

COUNTING = """
    async def initialize(self):
        self.orders = self.metrics.counter("orders", "Orders placed.", ["kind"])
        self.metrics.gauge("stock_items", "Articles on the shelf.").set(7)
        self.picking = self.metrics.histogram("pick_seconds", "Time to pick.")
        await self.subscribe_to_event("shop.ordered", self.ordered)
        return True

    async def ordered(self, event):
        self.picking.observe(0.2)

    def get_metrics(self):
        if self.orders.labels("bad")._value.get():
            raise RuntimeError("cannot count")
        own = {"hits_total": 3, "cache_bytes": 12, "stock_items": 99, "Odd name": 1}
        return super().get_metrics() | own

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/order/{kind}")
        async def order(kind: str):
            self.orders.labels(kind=kind).inc()
            await self.publish_event("shop.ordered", {"kind": kind})

        return [router]
"""


async def scraped(site: Any) -> str:
    text: str = (await site.http.get("/metrics")).text
    return text


def of(text: str, beginning: str) -> set[str]:
    return {line for line in text.splitlines() if line.startswith(beginning)}


async def test_plugins_add_their_own_which_go_with_their_generation(workshop: Any) -> None:
    workshop.plugin("shop", COUNTING)
    async with workshop.running() as site:
        for kind in ("gift", "gift", "book"):
            await site.http.post(f"/plugins/shop/order/{kind}")
        await site.app.bus.join(60)
        text = await scraped(site)
        own = {line for line in of(text, "plugin_shop_") if "_bucket" not in line}
        assert own == {
            'plugin_shop_orders_total{kind="gift",plugin="shop"} 2.0',
            'plugin_shop_orders_total{kind="book",plugin="shop"} 1.0',
            'plugin_shop_stock_items{plugin="shop"} 7.0',
            'plugin_shop_pick_seconds_count{plugin="shop"} 3.0',
            *of(text, "plugin_shop_pick_seconds_sum"),
            'plugin_shop_hits_total{plugin="shop"} 3.0',
            'plugin_shop_cache_bytes{plugin="shop"} 12.0',
        } | {line for line in own if 'kind="bad"' in line}
        assert 'nexus_plugin_events_published_total{plugin="shop"} 3.0' in text
        assert 'nexus_plugin_metrics_failed{plugin="shop"} 0.0' in text
        assert 'nexus_plugin_state{plugin="shop",state="running"} 1.0' in text

        await site.api("POST", "/plugins/shop/reload")
        text = await scraped(site)
        assert not of(text, 'plugin_shop_orders_total{kind="gift"')
        assert of(text, "plugin_shop_stock_items")

        await site.api("POST", "/plugins/shop/disable")
        text = await scraped(site)
        assert not of(text, "plugin_shop_")
        assert not {line for line in of(text, "nexus_http") if '"shop"' in line}
        assert 'nexus_plugin_state{plugin="shop",state="disabled"} 1.0' in text


async def test_a_plugin_that_cannot_count_takes_no_other_with_it(
    workshop: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nexus.plugins.own_figures._FRESH_SECONDS", -1.0)
    workshop.plugin("shop", COUNTING)
    workshop.plugin("fine", COUNTING.replace("shop.ordered", "fine.ordered"))
    async with workshop.running() as site:
        await site.http.post("/plugins/shop/order/bad")
        text = await scraped(site)
        assert 'nexus_plugin_metrics_failed{plugin="shop"} 1.0' in text
        assert 'nexus_plugin_metrics_failed{plugin="fine"} 0.0' in text
        assert not of(text, "plugin_shop_hits_total")
        assert of(text, "plugin_fine_hits_total")


async def test_names_that_come_out_alike_are_one_family_or_left_out(
    workshop: Any, caplog: Any
) -> None:
    make = """
    async def initialize(self):
        self.metrics.{kind}("{name}", "Help.").inc()
        return True
    """
    workshop.plugin("shop", make.format(kind="counter", name="a_b"))
    workshop.plugin("shop_a", make.format(kind="counter", name="b"))
    workshop.plugin("x", make.format(kind="counter", name="y_z"))
    workshop.plugin("x_y", make.format(kind="gauge", name="z"))
    async with workshop.running() as site:
        await scraped(site)
        text = await scraped(site)
        assert of(text, "plugin_shop_a_b_total") == {
            'plugin_shop_a_b_total{plugin="shop"} 1.0',
            'plugin_shop_a_b_total{plugin="shop_a"} 1.0',
        }
        assert of(text, "plugin_x_y_z") == {'plugin_x_y_z_total{plugin="x"} 1.0'}
        told = [each for each in caplog.records if "is not exported" in each.message]
        assert len(told) == 1


def problems(text: str) -> list[str]:
    """Hold an exposition to what `promtool check metrics` holds one to, and a little more."""
    found = []
    names = re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)
    found += [f"{name}: twice" for name, number in Counter(names).items() if number > 1]
    for family in text_string_to_metric_families(text):
        exported = f"{family.name}_total" if family.type == "counter" else family.name
        found += [f"{exported}: {each}" for each in _of_family(family.name, family)]
        series = [(each.name, *sorted(each.labels.items())) for each in family.samples]
        if len(set(series)) != len(series):
            found.append(f"{exported}: the same series twice")
    return found


ABBREVIATED = ("_ms", "_msec", "_millis", "_s", "_secs", "_min", "_kb", "_mb", "_gb", "_pct")
OTHER_UNITS = ("milliseconds", "microseconds", "minutes", "hours", "days", "kilobytes", "percent")


def _of_family(name: str, family: Any) -> list[str]:
    found = []
    if name.startswith(("nexus_", "plugin_")) and not family.documentation.endswith("."):
        found.append("its help is no sentence")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        found.append("its name is not in snake case")
    if name.endswith(ABBREVIATED) or any(unit in name for unit in OTHER_UNITS):
        found.append("its unit is not the base unit, spelled out")
    if name.endswith(("_total", "_count", "_sum", "_bucket")):
        found.append("its name ends as a part of another kind")
    if family.type in name.split("_"):
        found.append("its name has its type in it")
    if family.type not in {"counter", "gauge", "histogram"}:
        found.append(f"its type is {family.type}")
    labels = {label for each in family.samples for label in each.labels}
    allowed = {"le"} if family.type == "histogram" else set()
    found += [f"the label {each}" for each in labels if not re.fullmatch(r"[a-z_]+", each)]
    found += [f"the label {each}" for each in labels & {"le", "quantile"} - allowed]
    return found


async def test_names_units_and_labels_follow_the_conventions(workshop: Any) -> None:
    workshop.plugin("shop", COUNTING)
    async with workshop.running() as site:
        await site.http.post("/plugins/shop/order/gift")
        await site.http.get("/plugins/shop/nothing")
        await site.http.get("/nothing")
        await site.app.bus.join(60)
        assert problems(await scraped(site)) == []


def test_the_check_of_conventions_finds_what_breaks_them() -> None:
    twice = 'nexus_wait_ms{quantile="0.5"} 1\n' * 2
    text = f"# HELP nexus_wait_ms How long\n# TYPE nexus_wait_ms gauge\n{twice}"
    assert problems(text) == [
        "nexus_wait_ms: its help is no sentence",
        "nexus_wait_ms: its unit is not the base unit, spelled out",
        "nexus_wait_ms: the label quantile",
        "nexus_wait_ms: the same series twice",
    ]


def test_a_plugin_with_metrics_of_its_own_making_keeps_them() -> None:
    class Old(BasePlugin):
        @override
        def metrics(self) -> str:  # type: ignore[override] # as an author may have it
            return "mine"

        @override
        async def initialize(self) -> bool:
            return True

    assert Old().metrics() == "mine"
